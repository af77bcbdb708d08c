//! The matrix of Mattermost's teams and channels, and of what rules can ask for beside attributes: what was foreseen of
//! each kind of account and place, held against what the simulator then does (`mattermost.md` 8).

use super::*;
use crate::connector::mattermost::KIND;

/// Kinds of accounts.
const ACCOUNTS: &[&str] =
    &["password", "gitlab", "ldap", "administrator", "guest", "bot", "inactive", "remote", "elsewhere"];

/// The places, by attribute; each is tried from inside and from outside.
const PLACES: &[&str] = &[
    "mattermost.teams[open]",
    "mattermost.teams[ruled]",
    "mattermost.teams[homely]",
    "mattermost.teams[gone]",
    "mattermost.teams[nothing]",
    "mattermost.teams[No Name]",
    "mattermost.channels[open/room]",
    "mattermost.channels[open/secret]",
    "mattermost.channels[open/ruled]",
    "mattermost.channels[open/town-square]",
    "mattermost.channels[open/old]",
    "mattermost.channels[open/nothing]",
    "mattermost.channels[other/room]",
    "mattermost.channels[left/room]",
    "mattermost.channels[nothing/room]",
    "mattermost.channels[room]",
];

/// Where everybody is in the team who is not in the channel.
const IN_OPEN: &str = "mattermost.channels[open/";

fn id(number: usize) -> String {
    format!("membership{number:0>16}")
}

fn user(kind: &str, number: usize) -> Json {
    let domain = if kind == "elsewhere" { "elsewhere.example" } else { "example.com" };
    let mut user =
        json!({ "id": id(number), "username": format!("p{number}"), "email": format!("p{number}@{domain}") });
    let mut set = |name: &str, value: Json| user[name] = value;
    match kind {
        "gitlab" | "ldap" => {
            set("auth_service", kind.into());
            set("auth_data", (1000 + number).to_string().into());
        }
        "administrator" => set("roles", "system_user system_admin".into()),
        "guest" => set("roles", "system_guest".into()),
        "bot" => set("is_bot", true.into()),
        "inactive" => set("delete_at", 1_700_000_000_000_i64.into()),
        "remote" => set("remote_id", "elsewhere".into()),
        _ => {}
    }
    user
}

/// One account, the one place it is about, and whether it is there.
struct Trial {
    account: &'static str,
    place: &'static str,
    inside: bool,
    wish: Wish,
}

impl Trial {
    /// True where the account must be a member of this place (`team` or `team/channel`) in the beginning.
    fn seeded(&self, place: &str) -> bool {
        let own = self.place.split_once('[').map_or("", |(_, name)| name.trim_end_matches(']'));
        // Nobody outside of a guest's team is in a channel of it, and nobody is in a channel and not in its team.
        let in_team = own == place || own.split_once('/').is_some_and(|(team, _)| team == place);
        (self.inside && in_team) || (self.place.starts_with(IN_OPEN) && place == "open")
    }
}

fn trials(accounts: &[&'static str]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for account in accounts {
        for place in PLACES {
            for inside in [true, false] {
                for (like, value) in
                    [("join", Value::text("member")), ("leave", Value::Empty), ("rule", "owner".into())]
                {
                    trials.push(Trial { account, place, inside, wish: Wish::new(place, like, value) });
                }
            }
        }
    }
    trials
}

fn seed(trials: &[Trial], settings: &Json) -> Json {
    let users: Vec<Json> = trials.iter().enumerate().map(|(at, trial)| user(trial.account, at)).collect();
    let inside = |place: &str| -> Vec<String> {
        let there = trials.iter().enumerate().filter(|(_, trial)| trial.seeded(place));
        there.map(|(at, _)| format!("p{at}")).collect()
    };
    let room = |team: &str, name: &str, more: Json| {
        let mut room = json!({ "name": name, "members": inside(&format!("{team}/{name}")) });
        room.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        room
    };
    json!({
        "settings": settings,
        "users": users,
        "teams": [
            { "name": "open", "members": inside("open"), "channels": [
                room("open", "room", json!({})),
                room("open", "secret", json!({ "type": "P" })),
                room("open", "ruled", json!({ "group_constrained": true })),
                room("open", "old", json!({ "delete_at": 1_700_000_000_000_i64 })),
            ] },
            { "name": "ruled", "group_constrained": true, "members": inside("ruled") },
            { "name": "homely", "allowed_domains": "example.com", "members": inside("homely") },
            { "name": "gone", "delete_at": 1_700_000_000_000_i64, "members": inside("gone") },
            { "name": "other", "members": inside("other"), "channels": [room("other", "room", json!({}))] },
            { "name": "left", "channels": [room("left", "room", json!({}))] },
        ],
    })
}

/// All places of the matrix, as a plan wants them.
fn members() -> BTreeMap<AttributeName, BTreeSet<String>> {
    let mut members: BTreeMap<AttributeName, BTreeSet<String>> = BTreeMap::new();
    for place in PLACES.iter().map(|place| AttributeName::new(place)) {
        members.entry(place.set().unwrap()).or_default().insert(place.member().unwrap().to_owned());
    }
    members
}

async fn observed(bed: &Bed, ids: impl IntoIterator<Item = String>) -> BTreeMap<AccountId, Account> {
    let ids = ids.into_iter().map(|id| AccountId::from(id.as_str())).collect();
    bed.seen(Wanted { ids, members: members(), ..Wanted::default() }).await
}

/// Whether the simulator holds somebody in a place.
fn is_there(state: &Json, attribute: &AttributeName, user: &str) -> bool {
    let name = attribute.member().unwrap();
    let (team, channel) = name.split_once('/').map_or((name, None), |(team, channel)| (team, Some(channel)));
    let list = match (attribute.local(), channel) {
        ("teams", _) => &state["teams"][team]["members"],
        (_, Some(channel)) => &state["teams"][team]["channels"][channel],
        _ => &Json::Null,
    };
    list.as_array().is_some_and(|list| list.iter().any(|one| one == user))
}

/// What cannot be seen because it is archived, though the simulator knows who was there.
fn is_archived(attribute: &AttributeName) -> bool {
    matches!(attribute.member(), Some("gone" | "open/old"))
}

/// Every observed membership is one, and every other is none.
fn agree(bed: &Bed, accounts: &BTreeMap<AccountId, Account>, state: &Json) {
    for (id, account) in accounts {
        for attribute in PLACES.iter().map(|place| AttributeName::new(place)) {
            let there = is_there(state, &attribute, id.as_str()) && !is_archived(&attribute);
            let expected = if there { Value::text("member") } else { Value::Empty };
            assert_eq!(account.attributes.get(&attribute), Some(&expected), "{} {id} {attribute}", bed.system);
        }
    }
}

async fn matrix(name: &str, token: &str, settings: Json, accounts: &[&'static str], report: &mut Report) {
    let trials = trials(accounts);
    let bed = Bed::made(Bedding {
        kind: &KIND,
        options: json!({ "token_kind": token }),
        token_kind: token,
        seed: seed(&trials, &settings),
        leader: None,
    })
    .await;
    let accounts = observed(&bed, (0..trials.len()).map(id)).await;
    assert_eq!(accounts.len(), trials.len());
    agree(&bed, &accounts, &bed.dump().await);
    let mut took = Vec::new();
    for (at, trial) in trials.iter().enumerate() {
        report.cases += 1;
        let mut wish = trial.wish.clone();
        wish.like = match (trial.inside, wish.like) {
            (true, "join") => "join again",
            (false, "leave") => "leave again",
            (_, like) => like,
        };
        let account = &accounts[&AccountId::from(id(at).as_str())];
        let change = bed.change(account, &wish.attribute, &wish.value);
        let foreseen = word(&change, &bed.foresee(account, &change));
        let met = match bed.connector.calls(account, std::slice::from_ref(&change)) {
            Err(refusal) => Met::Unsaid(refusal.kind),
            Ok(requests) => {
                let carries: Vec<_> = requests.iter().map(|request| (request.operation, &request.carries)).collect();
                assert_eq!(carries, [(Operation::Update, &vec![change.attribute.clone()])]);
                match bed.send(account, std::slice::from_ref(&change), requests).await {
                    Ok(shown) if bed.holds(&shown, &change) => Met::Took,
                    Ok(_) => Met::Ineffective,
                    Err(refusal) => Met::Refused(refusal.kind),
                }
            }
        };
        if met == Met::Took {
            took.push((at, change.clone()));
        }
        if !agrees(&foreseen, met, false) {
            report.difference(name, trial.account, &wish, &foreseen, &met.to_string());
        }
    }
    // All together are asked place by place, one alone is asked for her teams: both tell the truth.
    let state = bed.dump().await;
    for (at, change) in took {
        let there = is_there(&state, &change.attribute, &id(at));
        assert_eq!(there, !change.after.is_empty(), "{name} {} {}", trials[at].account, change.attribute);
    }
    agree(&bed, &observed(&bed, (0..trials.len()).map(id)).await, &state);
    for at in (0..trials.len()).step_by(40) {
        agree(&bed, &observed(&bed, [id(at)]).await, &state);
    }
}

/// What is meant to differ.
const ACCEPTED: &[Accepted] = &[
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &[],
        values: &["leave", "leave again"],
        foreseen: "unchanged",
        met: "unsaid, not_found",
        why: "nobody is in a place that is not there, and a plan sends nothing",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["mattermost.teams[ruled]", "mattermost.channels[open/ruled]"],
        values: &["leave again"],
        foreseen: "unchanged",
        met: "owned_elsewhere",
        why: "the groups of a place are asked before whether somebody is in it (8); a plan sends no such call",
    },
    Accepted {
        bed: "",
        accounts: &[],
        attributes: &["mattermost.teams[open]", "mattermost.teams[ruled]", "mattermost.teams[homely]"],
        values: &["join again"],
        foreseen: "unchanged",
        met: "invalid",
        why: "the domains of a team are asked before whether somebody is in it; a plan sends no such call",
    },
];

#[tokio::test]
async fn mattermost_teams_and_channels_do_what_was_foreseen() {
    let mut report = Report::new(ACCEPTED);
    let room = json!({ "max_users_per_team": 100_000 });
    matrix("usual", "personal", room.clone(), ACCOUNTS, &mut report).await;
    let domains = json!({
        "max_users_per_team": 100_000,
        "restrict_creation_to_domains": "elsewhere.example",
        "guest_restrict_creation_to_domains": "guests.example",
    });
    matrix("domains", "bot", domains, &["password", "guest", "bot", "elsewhere"], &mut report).await;
    matrix("oauth", "oauth", room, &["password"], &mut report).await;
    report.settle();
}

/// Asks the provider something past the connector, with an administrator's token.
async fn colleague(bed: &Bed, method: &str, path: &str, body: Json) {
    let account = Account { id: Some(id(1).as_str().into()), ..bed.nobody().await };
    let request = Request {
        operation: Operation::Update,
        method: method.to_owned(),
        path: format!("/api/v4/{path}"),
        headers: BTreeMap::new(),
        body,
        generated: Vec::new(),
        carries: vec!["nickname".into()],
        replay: crate::model::capability::Replay::Repeat,
    };
    // What the connector makes of an answer to somebody else is of no interest.
    let _ = bed.send(&account, &[], vec![request]).await;
}

#[tokio::test]
async fn what_somebody_else_did_meanwhile_is_done_or_told() {
    let bed = rooms("personal").await;
    let wanted = BTreeMap::from([
        ("mattermost.teams".into(), BTreeSet::from(["open".to_owned()])),
        ("mattermost.channels".into(), BTreeSet::from(["open/secret".to_owned()])),
    ]);
    let anna = async || {
        let ids = BTreeSet::from([id(1).as_str().into()]);
        let wanted = Wanted { ids, members: wanted.clone(), ..Wanted::default() };
        bed.seen(wanted).await.into_values().next().unwrap()
    };
    let own = |set: &str, name: &str| AttributeName::member_of(&set.into(), name);
    let (team, channel) = (own("mattermost.teams", "open"), own("mattermost.channels", "open/secret"));
    let outside = anna().await;
    let join_team = bed.change(&outside, team.as_str(), &"member".into());
    let join_channel = bed.change(&outside, channel.as_str(), &"member".into());
    let team_path = format!("teams/{}/members", outside.server_fact("team:open").unwrap());
    let channel_path = format!("channels/{}/members", outside.server_fact("channel:open/secret").unwrap());

    // Not in the team: the server says so as it was foreseen.
    let refusal = bed.carry_out(&outside, std::slice::from_ref(&join_channel)).await.unwrap_err();
    let seat = "app.team.get_member.missing.app_error";
    assert_eq!((refusal.kind, refusal.status, refusal.code.as_deref()), (RefusalKind::NotFound, Some(404), Some(seat)));
    // Somebody let her in already.
    colleague(&bed, "POST", &team_path, json!({ "team_id": outside.server_fact("team:open"), "user_id": id(1) })).await;
    let told = bed.carry_out(&outside, std::slice::from_ref(&join_team)).await.unwrap();
    assert!(bed.holds(&told, &join_team));
    colleague(&bed, "POST", &channel_path, json!({ "user_id": id(1) })).await;
    assert!(bed.holds(&bed.carry_out(&outside, std::slice::from_ref(&join_channel)).await.unwrap(), &join_channel));
    assert_eq!(bed.dump().await["teams"]["open"]["channels"]["secret"], json!([id(1)]));

    // Somebody let her out already; out of the channel with the team.
    let inside = anna().await;
    assert_eq!((inside.value(&team), inside.value(&channel)), ("member".into(), "member".into()));
    let leave_team = bed.change(&inside, team.as_str(), &Value::Empty);
    let leave_channel = bed.change(&inside, channel.as_str(), &Value::Empty);
    colleague(&bed, "DELETE", &format!("{team_path}/{}", id(1)), Json::Null).await;
    for leave in [&leave_team, &leave_channel] {
        let told = bed.carry_out(&inside, std::slice::from_ref(leave)).await.unwrap();
        assert!(bed.holds(&told, leave), "{}", leave.attribute);
    }
    // And who was there once and left is told apart from who never was.
    let refusal = bed.carry_out(&outside, std::slice::from_ref(&join_channel)).await.unwrap_err();
    let left = "api.channel.add_user.to.channel.failed.deleted.app_error";
    assert_eq!((refusal.kind, refusal.status, refusal.code.as_deref()), (RefusalKind::NotFound, Some(400), Some(left)));

    // All at once end as each alone, whatever the order in which they are asked for.
    for (account, changes) in [
        (anna().await, [join_channel.clone(), join_team.clone()]),
        (inside.clone(), [leave_team.clone(), leave_channel.clone()]),
    ] {
        bed.carry_out(&account, &changes).await.unwrap();
        let now = anna().await;
        assert!(changes.iter().all(|change| bed.holds(&now, change)), "{now:?}");
    }
    // The team is full.
    bed.settings(&json!({ "max_users_per_team": 0 })).await;
    let refusal = bed.carry_out(&outside, std::slice::from_ref(&join_team)).await.unwrap_err();
    let full = "app.team.join_user_to_team.max_accounts.app_error";
    assert_eq!((refusal.kind, refusal.code.as_deref()), (RefusalKind::Unsupported, Some(full)));
    // Nobody there any more.
    let gone = Account { id: Some(id(98).as_str().into()), ..outside.clone() };
    for change in [&join_team, &leave_team, &join_channel, &leave_channel] {
        let refusal = bed.carry_out(&gone, std::slice::from_ref(change)).await.unwrap_err();
        assert_eq!((refusal.kind, refusal.status), (RefusalKind::NotFound, Some(404)), "{change:?}");
    }
}

#[tokio::test]
async fn looking_at_places_changes_nothing_and_asks_once_for_each() {
    let bed = rooms("personal").await;
    let before = bed.dump().await;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let wanted = Wanted {
        ids: BTreeSet::from([id(1).as_str().into(), id(2).as_str().into()]),
        members: BTreeMap::from([
            ("mattermost.teams".into(), names(&["open", "nothing"])),
            ("mattermost.channels".into(), names(&["open/secret", "open/old"])),
        ]),
        named: BTreeMap::from([
            ("channel".to_owned(), names(&["open/town-square"])),
            ("team".to_owned(), names(&["open"])),
        ]),
        ..Wanted::default()
    };
    bed.lab("mattermost", "DELETE", "requests", &Json::Null).await.unwrap();
    let seen = bed.observe(&wanted).await.unwrap();
    let asked = bed.lab("mattermost", "GET", "requests", &Json::Null).await.unwrap();
    let mut asked: Vec<String> = asked
        .as_array()
        .unwrap()
        .iter()
        .map(|asked| format!("{} {}", asked["method"].as_str().unwrap(), asked["path"].as_str().unwrap()))
        .collect();
    asked.sort();
    let (team, channel) = (&before["teams"]["open"]["id"], seen.server["channel:open/secret"].to_string());
    let mut expected = [
        "GET /api/v4/config",
        "GET /api/v4/teams/name/nothing",
        "GET /api/v4/teams/name/open",
        "GET /api/v4/teams/name/open/channels/name/old",
        "GET /api/v4/teams/name/open/channels/name/secret",
        "GET /api/v4/teams/name/open/channels/name/town-square",
        "GET /api/v4/users/me",
        "POST /api/v4/users/ids",
    ]
    .map(str::to_owned)
    .to_vec();
    expected.push(format!("POST /api/v4/channels/{channel}/members/ids"));
    expected.push(format!("POST /api/v4/teams/{}/members/ids", team.as_str().unwrap()));
    expected.sort();
    assert_eq!(asked, expected);
    let ids: Vec<&str> =
        ["team:open", "team:nothing", "channel:open/secret", "channel:open/old", "channel:open/town-square"]
            .into_iter()
            .filter(|fact| seen.server.contains_key(*fact))
            .collect();
    assert_eq!(ids, ["team:open", "channel:open/secret", "channel:open/town-square"]);
    assert_eq!(bed.dump().await, before);
}

/// How often a question that ends so was asked since the last time.
async fn asked(bed: &Bed, end: &str) -> usize {
    let asked = bed.lab("mattermost", "GET", "requests", &Json::Null).await.unwrap();
    bed.lab("mattermost", "DELETE", "requests", &Json::Null).await.unwrap();
    asked.as_array().unwrap().iter().filter(|asked| asked["path"].as_str().unwrap().ends_with(end)).count()
}

#[tokio::test]
async fn many_accounts_are_asked_for_together_and_one_for_all_her_teams() {
    let users: Vec<Json> = (0..1100).map(|at| json!({ "id": id(at), "username": format!("p{at}") })).collect();
    let team = |name: &str, members: &[&str]| json!({ "name": name, "members": members });
    let teams = [team("one", &["p3", "p1099"]), team("two", &["p1099"]), team("three", &[])];
    let bed = Bed::made(Bedding {
        kind: &KIND,
        options: json!({}),
        token_kind: "personal",
        seed: json!({ "users": users, "teams": teams }),
        leader: None,
    })
    .await;
    let look = async |ids: &[usize]| {
        let names = ["one", "two", "three"].map(str::to_owned);
        let members = BTreeMap::from([("mattermost.teams".into(), BTreeSet::from(names))]);
        let ids = ids.iter().map(|at| AccountId::from(id(*at).as_str())).collect();
        let seen = bed.seen(Wanted { ids, members, ..Wanted::default() }).await;
        let teams = |account: &Account| -> Vec<String> {
            let held = account.attributes.iter().filter(|(name, level)| name.member().is_some() && !level.is_empty());
            held.map(|(name, _)| name.member().unwrap().to_owned()).collect()
        };
        seen.iter().map(|(id, account)| (id.clone(), teams(account))).collect::<BTreeMap<_, _>>()
    };
    let all: Vec<usize> = (0..1100).collect();
    let everybody = look(&all).await;
    assert_eq!((everybody.len(), asked(&bed, "/members/ids").await), (1100, 6));
    let somewhere: Vec<(&AccountId, &Vec<String>)> = everybody.iter().filter(|(_, teams)| !teams.is_empty()).collect();
    let (three, last) = (AccountId::from(id(3).as_str()), AccountId::from(id(1099).as_str()));
    let mut expected = [(&three, vec!["one".to_owned()]), (&last, vec!["one".to_owned(), "two".to_owned()])];
    expected.sort();
    let expected: Vec<(&AccountId, &Vec<String>)> = expected.iter().map(|(id, teams)| (*id, teams)).collect();
    assert_eq!(somewhere, expected);

    let alone = look(&[1099]).await;
    assert_eq!(alone[&last], everybody[&last]);
    assert_eq!((asked(&bed, "/members/ids").await, look(&[3]).await.len()), (0, 1));
    assert_eq!((asked(&bed, "/teams/members").await, look(&[]).await.len()), (1, 0));
    assert_eq!(asked(&bed, "/members").await, 0);
}

/// Sends an operation as a plan would.
async fn performed(bed: &Bed, account: &Account, operation: &str, request: Request) -> Result<Account, Refusal> {
    let number = bed.calls.fetch_add(1, Ordering::Relaxed) + 1;
    let call = Call {
        id: format!("c{number}").into(),
        system: bed.system.clone(),
        person: PersonId { system: "hr".into(), key: number.to_string().into() },
        account: account.id.clone(),
        operation: request.operation,
        performs: Some(operation.to_owned()),
        method: request.method,
        path: request.path,
        headers: request.headers,
        body: request.body,
        generated: request.generated,
        expects: BTreeMap::new(),
        intends: BTreeMap::new(),
        replay: request.replay,
        after: Vec::new(),
    };
    let mut writer = bed.line.writer(&bed.store, bed.run, &call);
    bed.connector.perform(&call, &mut writer).await
}

fn message(channel: &str, text: &str) -> BTreeMap<String, Value> {
    BTreeMap::from([("channel".to_owned(), channel.into()), ("text".to_owned(), text.into())])
}

async fn rooms(token: &str) -> Bed {
    let sessions = |user: &str| {
        ["session", "oauth"].map(|kind| json!({ "user": user, "kind": kind, "token": format!("{user}-{kind}") }))
    };
    let tokens = [sessions("anna"), sessions("berta")].concat();
    Bed::made(Bedding {
        kind: &KIND,
        options: json!({ "token_kind": token }),
        token_kind: token,
        seed: json!({
            "users": [{ "id": id(1), "username": "anna" }, { "id": id(2), "username": "berta" }],
            "tokens": tokens,
            "teams": [{ "name": "open", "channels": [
                { "name": "secret", "type": "P" },
                { "name": "old", "delete_at": 1, "id": id(99) },
            ] }],
        }),
        leader: None,
    })
    .await
}

#[tokio::test]
async fn a_message_is_posted_once_where_it_is_said_it_would_be() {
    for token in ["personal", "bot", "oauth"] {
        let bed = rooms(token).await;
        let channels = ["open/town-square", "open/secret", "open/old", "open/nothing", "nothing/room", "secret", ""];
        let named = BTreeMap::from([("channel".to_owned(), channels.iter().map(|name| (*name).to_owned()).collect())]);
        let server = bed.observe(&Wanted { named, ..Wanted::default() }).await.unwrap().server;
        let nobody = Account::absent(bed.system.clone(), server);
        let say = |channel: &str, text: &str| bed.connector.operation(&nobody, "post_message", &message(channel, text));

        let longest = "ä".repeat(16_383);
        let mut expected = Vec::new();
        for (channel, text) in [("open/town-square", "Hello **Cörä**"), ("open/secret", longest.as_str())] {
            let request = say(channel, text).unwrap();
            assert_eq!(request.carries, Vec::<AttributeName>::new());
            let told = performed(&bed, &nobody, "post_message", request).await.unwrap();
            assert_eq!((told.id, told.attributes), (None, BTreeMap::new()), "{token}");
            expected.push((channel, text));
        }
        let posts = bed.dump().await["posts"].clone();
        let shown: Vec<(&str, &str)> = posts
            .as_array()
            .unwrap()
            .iter()
            .map(|post| (post["channel"].as_str().unwrap(), post["message"].as_str().unwrap()))
            .collect();
        assert_eq!(shown, expected, "{token}");

        for channel in &channels[2..] {
            assert_eq!(say(channel, "Hi").unwrap_err().kind, RefusalKind::NotFound, "{channel}");
        }
        assert_eq!(say("open/secret", "").unwrap_err().kind, RefusalKind::Invalid);
        // What the connector would not say is refused by the server in the same way.
        let too_long = format!("{longest}ä");
        assert_eq!(say("open/secret", &too_long).unwrap_err().kind, RefusalKind::Invalid);
        for (field, value, kind, status) in [
            ("message", too_long.as_str(), RefusalKind::Invalid, 400),
            ("channel_id", &id(99), RefusalKind::NotFound, 400),
            ("channel_id", &id(98), RefusalKind::Forbidden, 403),
        ] {
            let mut request = say("open/secret", "Hi").unwrap();
            request.body[field] = value.into();
            let refusal = performed(&bed, &nobody, "post_message", request).await.unwrap_err();
            assert_eq!((refusal.kind, refusal.status), (kind, Some(status)), "{token} {field}");
        }
        assert_eq!(bed.dump().await["posts"], posts, "{token}");
    }
}

/// Whether a token is still accepted.
async fn is_accepted(bed: &Bed, token: &str) -> bool {
    let line = line(&KIND, &bed.lab, token);
    line.reader().get("/api/v4/users/me", &[]).await.unwrap().is_success()
}

#[tokio::test]
async fn ended_sessions_are_ended_and_nobody_elses_are() {
    let bed = rooms("oauth").await;
    let account = bed.account(&id(1)).await;
    let none = BTreeMap::new();
    let revoke = |account: &Account| bed.connector.operation(account, "revoke_sessions", &none);
    for _ in 0..2 {
        let told = performed(&bed, &account, "revoke_sessions", revoke(&account).unwrap()).await.unwrap();
        assert_eq!(told.id, account.id);
        for (token, accepted) in
            [("anna-session", false), ("anna-oauth", false), ("berta-session", true), ("berta-oauth", true)]
        {
            assert_eq!(is_accepted(&bed, token).await, accepted, "{token}");
        }
    }
    // The server says yes for nobody, too.
    let gone = Account { id: Some(id(98).as_str().into()), ..account.clone() };
    let refusal = performed(&bed, &gone, "revoke_sessions", revoke(&gone).unwrap()).await.unwrap_err();
    assert_eq!((refusal.kind, refusal.status), (RefusalKind::NotFound, Some(404)));
    // Our own token would end with the sessions of its user.
    let me = account.server_fact("me").unwrap();
    let ours = bed.account(me).await;
    assert_eq!(revoke(&ours).unwrap_err().kind, RefusalKind::Forbidden);
    let request = Request { path: format!("/api/v4/users/{me}/sessions/revoke/all"), ..revoke(&account).unwrap() };
    let met = performed(&bed, &ours, "revoke_sessions", request).await.unwrap_err();
    assert_eq!((met.kind, met.status), (RefusalKind::Forbidden, Some(401)));
    assert_eq!(
        bed.connector.operation(&account, "delete_everything", &none).unwrap_err().kind,
        RefusalKind::Unsupported
    );
}
