//! What comes back, to the byte, and what is told to stay.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    common::{
        World,
        journey::{calls, changes, outcomes},
    },
    company::{Row, company, differences, hears, rows, states},
};

/// What HR says when something of every kind changes.
fn everything() -> Vec<Row> {
    let mut said = rows(9);
    let mut set = |at: usize, column: &'static str, value: &str| said[at].insert(column, value.to_owned());
    // A ring of names, a chain, and a new address.
    set(0, "username", "p1");
    set(1, "username", "p0");
    set(2, "username", "p2.new");
    set(3, "username", "p2");
    set(4, "email", "p4.new@example.com");
    // A profile, with something that was empty and something that becomes empty.
    set(3, "first", "Fresh");
    set(3, "nick", "Fresh3");
    set(3, "note", "A new note");
    set(4, "note", "");
    set(4, "position", "");
    // Off and on.
    set(5, "active", "no");
    set(6, "active", "yes");
    // Memberships: gained, lost, another level.
    set(1, "crew", "maintainer");
    set(2, "crew", "guest");
    set(1, "ops", "");
    set(7, "teams", "ops+sales");
    set(0, "teams", "sales");
    // A message; and the ninth is new at Mattermost.
    set(7, "welcome", "Welcome");
    said
}

#[test]
fn a_run_of_every_kind_of_change_is_taken_back_but_for_what_is_told_to_stay() {
    let world = company(9, &[8]);
    let before = states(&world);
    let report = hears(&world, 0, &everything());
    assert_eq!((outcomes(&report).len(), report["run"].clone()), (31, json!(2)));
    let between = states(&world);

    let ran = world.homeward(&["--lab", "undo", "2", "--yes"]);
    assert_eq!(ran.status, 0, "{}\n{}", ran.stdout, ran.stderr);
    let last = "Plan: 35 changes in 30 calls, 0 of 9 people unchanged.\nDone: 30 of 30 calls (run 3).\n";
    assert!(ran.stdout.ends_with(last), "{}", ran.stdout);
    let told = "\
warning: cannot be taken back: mattermost keeps the account that run 2 made (c30)
warning: cannot be taken back: `post_message` at mattermost (c31)
warning: what run 2 set off at gitlab may stay: 1 × GitLab writes to the old address, which stays with the account as a \
secondary one; 1 × a blocked account cannot sign in, here or to what signs in through GitLab; 4 × old addresses redirect \
until somebody takes them; 4 × the personal namespace and projects move; 1 × the personal namespace takes the new name
warning: what run 2 set off at mattermost may stay: 1 × mail to the old address; 4 × mail to the person; 4 × mentions of \
the old name no longer notify; 1 × switching off ends all sessions; 1 × the new one counts as unverified; 1 × who joins a \
team joins its default channels; 1 × who leaves a team leaves all its channels; 1 × whoever is mentioned is notified
warning: what run 2 set off at zitadel may stay: 4 × its tokens and sessions may end; 1 × switched off, its tokens end; \
4 × the login names change with it; 1 × the new address counts as verified at once and gets no mail
warning: hr says what is: with its next input it asks for 35 of these changes again; correct them there
";
    assert_eq!(ran.stderr, told);
    let after = states(&world);
    let stays = differences(&before, &after);
    let made = stays.keys().find(|place| !place.contains("chat") && place.starts_with("mattermost/users/"));
    let made = made.unwrap().rsplit('/').next().unwrap().to_owned();
    // Each of them was told: the account and the message, the mails, the address that counts as unverified at Mattermost,
    // and the one that stays with the account at GitLab.
    let places: Vec<&str> = stays.keys().map(String::as_str).collect();
    let account = format!("mattermost/users/{made}");
    let unverified = "mattermost/users/chat0400000000000000000000/email_verified";
    let mut told = ["gitlab/users/104/emails", "mattermost/mails", "mattermost/posts", &account, unverified];
    // Ids of accounts are drawn by lot.
    told.sort_unstable();
    assert_eq!(places, told);
    assert_eq!(after["mattermost"]["users"][&made]["delete_at"], true);
    let emails = &after["gitlab"]["users"]["104"]["emails"];
    assert_eq!((emails.as_array().unwrap().len(), &emails[0]["email"]), (1, &json!("p4.new@example.com")));

    // A run that takes back is one that can be taken back.
    let again = world.json(0, &["undo", "3", "--yes"]);
    assert_eq!(again["run"], 4);
    let mut open: BTreeSet<String> = differences(&between, &states(&world)).into_keys().collect();
    // What servers do by themselves for each change of an address.
    for place in ["gitlab/users/104/emails", "gitlab/users/104/email_id", "mattermost/mails"] {
        open.remove(place);
    }
    assert_eq!(open, BTreeSet::new());
}

#[test]
fn what_is_taken_back_already_is_not_taken_back_again() {
    let world = company(3, &[]);
    let mut said = rows(3);
    said[0].insert("nick", "Fresh".to_owned());
    said[1].insert("username", "p9".to_owned());
    hears(&world, 0, &said);
    world.json(0, &["undo", "2", "--yes"]);
    world.forget(&super::company::SYSTEMS);
    let ran = world.homeward(&["--lab", "undo", "2"]);
    let nothing = "Plan: 0 changes in 0 calls, 3 of 3 people unchanged.\nNothing to do (run 4).\n";
    assert_eq!((ran.status, ran.stdout.as_str()), (0, nothing), "{}", ran.stderr);
    assert!(
        ran.stderr.ends_with("nothing to undo of run 2: all that it changed is as it was before\n"),
        "{}",
        ran.stderr
    );
    assert_eq!(super::company::SYSTEMS.map(|system| world.writes(system).len()), [0, 0, 0]);

    // The run that took back stands for itself.
    let runs = world.json(0, &["runs"])["runs"].clone();
    let inputs: Vec<&Value> = runs.as_array().unwrap().iter().map(|run| &run["input"]).collect();
    assert_eq!(inputs, ["undo of run 2", "undo of run 2", "hr=people.csv", "hr=people.csv"]);
}

#[test]
fn a_plan_of_the_inverse_is_saved_and_applied_exactly_or_not_where_something_moved() {
    let world = company(3, &[]);
    let before = states(&world);
    let mut said = rows(3);
    for row in &mut said {
        row.insert("nick", "Fresh".to_owned());
    }
    hears(&world, 0, &said);
    world.forget(&super::company::SYSTEMS);
    let plan = world.json(0, &["undo", "2", "--out", "plan.json"]);
    assert_eq!(serde_json::from_str::<Value>(&world.read("plan.json")).unwrap(), plan);
    assert_eq!(plan, world.json(0, &["undo", "2", "--out", "again.json"]));
    assert_eq!(world.read("plan.json"), world.read("again.json"));
    let digest = plan["inputs"][0]["sha256"].as_str().unwrap().to_owned();
    let input = json!({ "system": "undo of run 2", "file": "run 2", "sha256": digest, "records": 6, "rejected": 0 });
    assert_eq!(plan["inputs"], json!([input]));
    assert_eq!(world.json(0, &["runs"])["runs"][0]["plan"], format!("sha256:{digest}"));
    let change = json!({
        "person": "hr/0", "attribute": "nickname", "system": "zitadel", "account": "2000", "before": "Fresh",
        "after": "Nick0", "decision": "apply", "call": "c2",
        "asked_by": { "system": "undo of run 2", "origin": "run 2, call c2" }, "owner": "hr",
        "because": [{ "rule": "run 2", "text": "undo of run 2, call c2" }],
        "reason": "as it was before run 2, which hr asked for (people.csv:2)",
    });
    assert_eq!(plan["changes"][1], change);
    // To plan is not to write.
    assert_eq!(super::company::SYSTEMS.map(|system| world.writes(system).len()), [0, 0, 0]);

    world.lab("zitadel", "POST", "meddle/2000", &json!({ "nickname": "Theirs" }));
    let report = world.json(7, &["apply", "--yes", "plan.json"]);
    let moved = json!({ "moved": ["nickname"] });
    assert_eq!(outcomes(&report), [json!("done"), moved, json!("done"), json!("done"), json!("done"), json!("done")]);
    let theirs = differences(&before, &states(&world));
    assert_eq!(
        theirs.into_iter().collect::<Vec<_>>(),
        [("zitadel/users/2000/nickname".to_owned(), "\"Nick0\" → \"Theirs\"".to_owned())]
    );
}

/// Mattermost takes a new name from GitLab when its holder signs in, and the old one in the same way.
#[test]
fn what_came_by_itself_goes_by_itself_and_a_website_does_not_ask_for_it_again() {
    let mut world = World::example("rename-through-gitlab");
    world.start_lab(&[]);
    world.json(0, &["apply", "website=before.csv"]);
    let planned = world.json(0, &["plan", "website=after.csv"]);
    let follows: Vec<String> = changes(&planned).into_iter().filter(|it| it.contains(" follow ")).collect();
    assert_eq!(follows.len(), 1, "{planned:#}");
    world.json(0, &["apply", "--yes", "website=after.csv"]);
    // Nobody signed in yet: at Mattermost there is nothing to take back.
    let early = world.json(0, &["undo", "2", "--out", "plan.json"]);
    assert_eq!(changes(&early), ["website/7 username gitlab apply anna.b → anna"]);
    assert_eq!(early["warnings"].as_array().unwrap().len(), 1, "{:#}", early["warnings"]);

    let mattermost = world.user("mattermost", "username", "anna")["id"].as_str().unwrap().to_owned();
    world.lab("mattermost", "POST", &format!("login/{mattermost}"), &Value::Null);
    let late = world.json(0, &["undo", "2", "--out", "plan.json"]);
    let expected =
        ["website/7 username gitlab apply anna.b → anna", "website/7 username mattermost follow anna.b → anna"];
    assert_eq!(changes(&late), expected);
    for name in ["when", "belongs_to"] {
        assert_eq!(late["changes"][1][name], planned["changes"][1][name], "{name}");
    }
    world.json(0, &["apply", "--yes", "plan.json"]);
    world.lab("mattermost", "POST", &format!("login/{mattermost}"), &Value::Null);
    assert_eq!(world.user("mattermost", "id", &mattermost)["username"], "anna");
    assert_eq!(world.user("gitlab", "id", "42")["username"], "anna");
    // The website said it once, and says nothing new.
    let next = world.json(0, &["plan", "website=after.csv"]);
    assert_eq!(calls(&next), Vec::<String>::new());
}
