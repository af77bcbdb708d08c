//! Whose an account is, by somebody's word: where a first tie is doubtful, and where one was wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crate::common::{World, in_one_line, journey::calls};
use serde_json::{Value, json};

const RULES: &str = "
owner([\"display_name\", \"email\", \"username\"], \"hr\");
copies(\"display_name\", \"gitlab\");
join(\"gitlab\", [\"email\", \"username\"]);
source(\"hr\", |row| #{ key: row.id, email: row.email, username: row.username, display_name: row.name });
";

/// GitLab with these users, by name and address, and a list that names one of them after both.
fn world(users: &[(&str, &str)], settings: &str) -> World {
    let mut world = World::new()
        .file(
            "homeward.toml",
            &format!(
                "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\ncoverage = \"full\"\n{settings}\n\
                 [systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://gitlab.example.com\"\ntoken = {{ env = \"TOKEN\" }}\n"
            ),
        )
        .file("rules/rules.rhai", RULES)
        .file("people.csv", "id,email,username,name\n1,anna@example.com,anna,Anna Berg\n");
    let users: Vec<Value> =
        users.iter().map(|(name, email)| json!({ "username": name, "name": name, "email": email })).collect();
    world.write("lab/gitlab.json", json!({ "users": users }).to_string().as_bytes());
    world.start_lab(&[]);
    world
}

/// The id of a user, as a command line has it.
fn account(world: &World, username: &str) -> String {
    format!("gitlab:{}", world.user("gitlab", "username", username)["id"].as_str().unwrap())
}

fn names(world: &World) -> Vec<String> {
    let mut names: Vec<String> =
        world.users("gitlab").iter().map(|user| format!("{} {}", user["username"], user["name"])).collect();
    names.retain(|name| !name.starts_with("\"root\""));
    names.sort();
    names
}

const TWO: [(&str, &str); 2] = [("anna.old", "anna@example.com"), ("anna", "berg@example.com")];

#[test]
fn a_doubtful_first_tie_is_told_and_can_be_settled_before_anything_is_sent() {
    let world = world(&TWO, "");
    let (by_email, by_name) = (account(&world, "anna.old"), account(&world, "anna"));
    let plan = world.json(0, &["plan", "--out", "plan.json", "hr=people.csv"]);
    let doubt = format!(
        "gitlab: hr/1 is taken for account {} by `email`, and account {} has the `username` of this record: where that one \
         is meant, `homeward link hr/1 {by_name}`",
        &by_email[7..],
        &by_name[7..]
    );
    assert_eq!(plan["warnings"], json!([doubt]));
    assert_eq!(calls(&plan).len(), 1, "{plan:#}");

    let linked = world.homeward(&["--lab", "link", "hr/1", &by_name, "--by", "Ada"]);
    assert_eq!(linked.status, 0, "{linked:?}");
    assert_eq!(linked.stdout, format!("{by_name} is hr/1's from now on (run 1).\n"));
    assert_eq!(
        linked.stderr,
        "note: no run was about hr/1 yet; what is said counts from the first that is\n\
         nothing was sent: the next plan shows what follows from it, and `undo` takes back what a run did before\n"
    );
    assert_eq!(world.writes("gitlab"), Vec::<Value>::new());

    // What was saved before would change the other account.
    let refused = world.homeward(&["--lab", "apply", "--yes", "plan.json"]);
    assert_eq!(refused.status, 2, "{refused:?}");
    assert!(
        in_one_line(&refused.stderr).contains("at gitlab for hr/1, and what somebody has said since stands against it")
    );
    assert_eq!(world.writes("gitlab"), Vec::<Value>::new());

    let plan = world.json(0, &["plan", "hr=people.csv"]);
    assert_eq!(plan["warnings"], json!([]));
    world.json(0, &["apply", "--yes", "hr=people.csv"]);
    assert_eq!(names(&world), [r#""anna" "Anna Berg""#, r#""anna.old" "anna.old""#]);
    let shown = world.homeward(&["--lab", "link", "hr/1"]);
    assert_eq!(shown.stdout, format!("system  account  link\ngitlab  {:<7}  hers, by hand\n", &by_name[7..]));
    let runs = world.json(0, &["runs"])["runs"].clone();
    assert_eq!(runs[1]["input"], format!("link hr/1 {by_name}"));
    assert_eq!(runs[1]["told"], format!("{by_name} is hr/1's, says Ada"));
    assert_eq!(world.homeward(&["--lab", "runs", "--verify"]).status, 0);
}

#[test]
fn an_account_of_her_name_with_another_address_is_told() {
    let world = world(&TWO, "").file("people.csv", "id,email,username,name\n1,new@example.com,anna,Anna Berg\n");
    let by_name = account(&world, "anna");
    let plan = world.json(0, &["plan", "hr=people.csv"]);
    let doubt = format!(
        "gitlab: hr/1 is taken for account {} by `username`, and has another `email` than this record: where it is not \
         hers, `homeward unlink hr/1 {by_name}`",
        &by_name[7..]
    );
    assert_eq!(plan["warnings"], json!([doubt]));
    assert_eq!(world.homeward(&["--lab", "unlink", "hr/1", &by_name]).status, 0);
    let plan = world.json(0, &["plan", "hr=people.csv"]);
    assert_eq!((&plan["warnings"], &plan["links"], &plan["calls"]), (&json!([]), &json!([]), &json!([])));
    // What is tied is tied: nothing is said of it again.
    assert_eq!(world.homeward(&["--lab", "link", "hr/1", &by_name]).status, 0);
    let plan = world.json(0, &["plan", "hr=people.csv"]);
    assert_eq!((&plan["warnings"], calls(&plan).len()), (&json!([]), 1), "{plan:#}");
}

#[test]
fn what_somebody_else_is_found_by_is_no_doubt() {
    let world = world(&TWO, "").file(
        "people.csv",
        "id,email,username,name\n1,anna@example.com,anna,Anna Berg\n2,berg@example.com,anna,Anna Berg\n",
    );
    let plan = world.json(0, &["plan", "hr=people.csv"]);
    assert_eq!(plan["warnings"], json!([]));
    assert_eq!(plan["links"].as_array().map(Vec::len), Some(2), "{plan:#}");
}

#[test]
fn a_wrong_tie_is_taken_back_and_not_found_again() {
    let world = world(&TWO, "recheck = \"7d\"");
    let (wrong, right) = (account(&world, "anna.old"), account(&world, "anna"));
    world.json(0, &["apply", "--yes", "hr=people.csv"]);
    assert_eq!(names(&world), [r#""anna" "anna""#, r#""anna.old" "Anna Berg""#]);
    // What it changed is looked at once more.
    world.json(0, &["apply", "--yes", "hr=people.csv"]);
    let same = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    assert!(same.stderr.contains("nobody is asked"), "{same:?}");

    let unlinked = world.json(0, &["unlink", "hr/1", &wrong, "--by", "Ada"]);
    let expected = json!({
        "format": "homeward.link/1", "run": 3, "person": "hr/1", "system": "gitlab", "account": &wrong[7..],
        "is_hers": false,
    });
    assert_eq!(unlinked, expected);
    let again = world.homeward(&["--lab", "unlink", "hr/1", &wrong]);
    assert_eq!((again.status, again.stdout), (0, format!("{wrong} is not hr/1's, as was said before.\n")));
    // The list is what it was, and she is looked for all the same: by her name now.
    world.json(0, &["apply", "--yes", "hr=people.csv"]);
    assert_eq!(names(&world), [r#""anna" "Anna Berg""#, r#""anna.old" "Anna Berg""#]);
    let shown = world.json(0, &["link", "hr/1"]);
    let links = json!([{ "system": "gitlab", "account": &right[7..], "by_hand": false }]);
    let not_hers = json!([{ "system": "gitlab", "account": &wrong[7..] }]);
    assert_eq!(shown, json!({ "format": "homeward.links/1", "person": "hr/1", "links": links, "not_hers": not_hers }));
    // Said again otherwise: the last word counts, and what she had there goes.
    let linked = world.homeward(&["--lab", "link", "hr/1", &wrong]);
    assert_eq!(linked.stdout, format!("{wrong} is hr/1's from now on (run 5).\n{right} is hers no more\n"));
    let shown = world.json(0, &["link", "hr/1"]);
    let links = json!([{ "system": "gitlab", "account": &wrong[7..], "by_hand": true }]);
    assert_eq!(shown, json!({ "format": "homeward.links/1", "person": "hr/1", "links": links, "not_hers": [] }));
}

#[test]
fn nothing_is_said_against_a_run_that_waits() {
    let world = world(&TWO, "").file("people.csv", "id,email,username,name\n1,anna@example.com,anna,Anna Berg\n");
    let guarded = format!("{RULES}guard(|plan| if plan.calls.len() > 0 {{ hold(\"look first\") }});\n");
    world.write("rules/rules.rhai", guarded.as_bytes());
    let held = world.homeward(&["--lab", "apply", "--yes", "hr=people.csv"]);
    assert_eq!(held.status, 6, "{held:?}");
    let right = account(&world, "anna");
    let refused = world.homeward(&["--lab", "link", "hr/1", &right]);
    assert_eq!(refused.status, 2, "{refused:?}");
    let told = in_one_line(&refused.stderr);
    assert!(told.contains("run 1 is held and about this person or account"), "{told}");
    assert!(told.contains("reject 1"), "{told}");
    assert_eq!(world.homeward(&["--lab", "reject", "1"]).status, 0);
    assert_eq!(world.homeward(&["--lab", "link", "hr/1", &right]).status, 0);
}

#[test]
fn what_names_no_account_or_nobody_is_told() {
    let world = world(&TWO, "");
    for (arguments, told) in [
        (["hr/1", "gitlab:4711"], "gitlab shows no account 4711"),
        (["hr/1", "gitlap:1"], "did you mean `gitlab`?"),
        (["hr/1", "42"], "an account is written as a system and its id there: gitlab:42"),
        (["hr/1", "gitlab:"], "`gitlab:` names no account"),
        (["hr/1", "hr:2"], "hr/1 is named by her own record at hr"),
        (["gitlab/1", "gitlab:1"], "`gitlab` is no source"),
        (["anna", "gitlab:1"], "`anna` names no person"),
    ] {
        let ran = world.homeward(&["--lab", "link", arguments[0], arguments[1]]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{arguments:?} {ran:?}");
        assert!(in_one_line(&ran.stderr).contains(told), "{arguments:?} {ran:?}");
    }
    let ran = world.homeward(&["--lab", "unlink", "hr/1", "gitlab:4711"]);
    assert!(ran.status == 2 && in_one_line(&ran.stderr).contains("gitlab shows no account 4711"), "{ran:?}");
    assert_eq!(world.homeward(&["--lab", "link", "hr/1"]).stdout, "hr/1 is linked to nothing yet.\n");
    assert_eq!(world.homeward(&["--lab", "runs"]).stdout, "No runs yet.\n");
    // What is known here needs no token to be shown.
    let shown = world.homeward(&["link", "hr/1"]);
    assert_eq!((shown.status, shown.stdout.as_str()), (0, "hr/1 is linked to nothing yet.\n"), "{shown:?}");
}

/// Two sources, and Mattermost beside GitLab.
fn two_sources(gitlab: &[(&str, &str)], mattermost: &[(&str, &str)]) -> World {
    let source = |name: &str| {
        format!("[systems.{name}]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\ncoverage = \"partial\"\n")
    };
    let provider = |name: &str| {
        format!(
            "[systems.{name}]\nkind = \"{name}\"\nurl = \"https://{name}.example.com\"\ntoken = {{ env = \"TOKEN\" }}\n"
        )
    };
    let rules = "
owner([\"email\", \"username\"], \"hr\");
owner(\"nickname\", \"website\");
copies(\"nickname\", \"mattermost\");
join(\"gitlab\", \"email\");
join(\"mattermost\", \"email\");
source(\"hr\", |row| #{ key: row.id, email: row.email });
source(\"website\", |row| #{ key: row.id, email: row.email, nickname: row.name });
";
    let mut world = World::new()
        .file("homeward.toml", &[source("hr"), source("website"), provider("gitlab"), provider("mattermost")].concat())
        .file("rules/rules.rhai", rules)
        .file("hr.csv", "id,email\n1,anna@example.com\n");
    let users = |all: &[(&str, &str)]| -> Value {
        all.iter().map(|(name, email)| json!({ "username": name, "email": email })).collect()
    };
    world.write("lab/mattermost.json", json!({ "users": users(mattermost) }).to_string().as_bytes());
    let named = |(name, email): &(&str, &str)| json!({ "username": name, "name": name, "email": email });
    let gitlab: Vec<Value> = gitlab.iter().map(named).collect();
    world.write("lab/gitlab.json", json!({ "users": gitlab }).to_string().as_bytes());
    world.start_lab(&[]);
    world
}

/// What somebody is linked to, as `system:account`.
fn links(world: &World, person: &str) -> Vec<String> {
    let shown = world.json(0, &["link", person]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = shown["links"].as_array().unwrap();
    all.iter().map(|one| format!("{}:{}", text(&one["system"]), text(&one["account"]))).collect()
}

const ANNA: [(&str, &str); 1] = [("anna", "anna@example.com")];

#[test]
fn what_is_not_hers_is_not_found_for_her_by_another_source_either() {
    let world = two_sources(&ANNA, &ANNA);
    let hers = account(&world, "anna");
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    world.json(0, &["unlink", "hr/1", &hers]);
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Annie\n");
    world.json(0, &["apply", "--yes", "website=web.csv"]);
    let found = links(&world, "hr/1");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("mattermost:") && found[1] == "website:7", "{found:?}");
}

#[test]
fn a_record_that_is_found_to_be_hers_brings_no_second_account() {
    // Her address is somebody else's at Mattermost, where she is known under another one.
    let mattermost = [("anna", "real@example.com"), ("stranger", "anna@example.com")];
    let world = two_sources(&ANNA, &mattermost);
    let hers = format!("mattermost:{}", world.user("mattermost", "username", "anna")["id"].as_str().unwrap());
    assert_eq!(world.homeward(&["--lab", "link", "hr/1", &hers]).status, 0);
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    let before = links(&world, "hr/1");
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Annie\n");
    world.json(0, &["apply", "--yes", "website=web.csv"]);
    assert_eq!(links(&world, "hr/1"), [before, vec!["website:7".to_owned()]].concat());
    assert_eq!(world.user("mattermost", "username", "anna")["nickname"], "Annie");
    assert_ne!(world.user("mattermost", "username", "stranger")["nickname"], "Annie");
}

/// Why somebody is held by a plan of these lists, each reason once.
fn held(world: &World, lists: &[&str]) -> Vec<String> {
    let plan = world.json(0, &[&["plan"], lists].concat());
    let held = plan["changes"].as_array().unwrap().iter().filter(|change| change["decision"] == "hold");
    let mut reasons: Vec<String> = held.map(|change| change["reason"].as_str().unwrap().to_owned()).collect();
    reasons.sort();
    reasons.dedup();
    reasons
}

/// Does what a reason says would settle it.
fn settle(world: &World, reason: &str) {
    let (_, command) = reason.split_once("as in `homeward ").unwrap();
    let words: Vec<&str> = command.trim_end_matches('`').split(' ').collect();
    let ran = world.homeward(&[&["--lab"], words.as_slice()].concat());
    assert_eq!(ran.status, 0, "{ran:?}");
}

#[test]
fn two_records_that_seem_to_be_of_one_person_are_told_apart_by_a_word() {
    let rows = "id,email,username,name\n1,anna@example.com,anna,Anna Berg\n2,anna@example.com,berta,Berta\n";
    let world = world(&TWO[..1], "").file("people.csv", rows);
    let hers = account(&world, "anna.old");
    let reasons = held(&world, &["hr=people.csv"]);
    let reason = format!(
        "people.csv:2 and people.csv:3 both seem to speak of this person: correct one, or where they are two people, say \
         what is not whose, as in `homeward unlink hr/2 {hers}`"
    );
    assert_eq!(reasons, [reason]);
    // The reason stands once, with what it keeps.
    let shown = world.homeward(&["--lab", "plan", "hr=people.csv"]).stdout;
    let told: Vec<&str> = shown.lines().filter(|line| line.trim_start().starts_with("hold ")).collect();
    assert!(told.len() == 1 && told[0].contains("3 attributes hr display_name, email, username "), "{shown}");
    settle(&world, &reasons[0]);
    assert_eq!(held(&world, &["hr=people.csv"]), Vec::<String>::new());
    world.json(0, &["apply", "--yes", "hr=people.csv"]);
    assert_eq!((links(&world, "hr/1"), links(&world, "hr/2")), (vec![hers], Vec::new()));
    assert_eq!(names(&world), [r#""anna.old" "Anna Berg""#]);
}

#[test]
fn a_record_that_leads_to_two_people_is_settled_by_a_word() {
    // At Mattermost her address is that of an account which somebody else was linked to.
    let world = two_sources(&ANNA, &ANNA);
    let of_other = format!("mattermost:{}", world.user("mattermost", "username", "anna")["id"].as_str().unwrap());
    assert_eq!(world.homeward(&["--lab", "link", "hr/2", &of_other]).status, 0);
    world.write("hr.csv", b"id,email\n1,anna@example.com\n2,berta@example.com\n");
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Annie\n");
    // Were addresses HR's to say, this one would be Anna's, whoever has it.
    let rules = world.read("rules/rules.rhai").replace("owner([\"email\", \"username\"]", "owner([\"username\"]");
    world.write("rules/rules.rhai", rules.as_bytes());
    let reasons = held(&world, &["website=web.csv"]);
    let reason = format!(
        "this leads to somebody else: hr/1 by {}, hr/2 by {of_other}; say what is not hers, as in \
         `homeward unlink website/7 {of_other}`",
        account(&world, "anna")
    );
    assert_eq!(reasons, [reason]);
    settle(&world, &reasons[0]);
    assert_eq!(held(&world, &["website=web.csv"]), Vec::<String>::new());
    world.json(0, &["apply", "--yes", "website=web.csv"]);
    assert_eq!(links(&world, "hr/1"), [account(&world, "anna"), "website:7".to_owned()]);
    assert_ne!(world.user("mattermost", "username", "anna")["nickname"], "Annie");
}

#[test]
fn an_account_that_only_the_sign_in_leads_to_is_settled_by_a_word() {
    let world = two_sources(&[("anna", "anna@example.com"), ("other", "other@example.com")], &ANNA);
    let (hers, other) = (account(&world, "anna"), account(&world, "other"));
    let through = json!({ "auth_service": "gitlab", "auth_data": other[7..] });
    world.lab("mattermost", "POST", "meddle/anna", &through);
    let reasons = held(&world, &["hr=hr.csv"]);
    let reason = format!(
        "gitlab has two accounts that could be meant: {}, and {} by the way she signs in; say which is not hers, as in \
         `homeward unlink hr/1 {other}`",
        &hers[7..],
        &other[7..]
    );
    assert_eq!(reasons, [reason]);
    settle(&world, &reasons[0]);
    assert_eq!(held(&world, &["hr=hr.csv"]), Vec::<String>::new());
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    assert_eq!(links(&world, "hr/1")[0], hers);
}

#[test]
fn a_call_that_was_left_is_not_sent_to_what_is_not_hers_by_now() {
    let world = world(&TWO, "");
    let right = account(&world, "anna");
    world.json(0, &["plan", "--out", "plan.json", "hr=people.csv"]);
    let meddle = |name: &str| world.lab("gitlab", "POST", "meddle/anna.old", &json!({ "name": name }));
    meddle("Moved Away");
    world.json(7, &["apply", "--yes", "plan.json"]);
    assert_eq!(world.homeward(&["--lab", "link", "hr/1", &right]).status, 0);
    meddle("anna.old");
    let resumed = world.homeward(&["--lab", "resume", "1"]);
    assert_eq!(resumed.status, 7, "{resumed:?}");
    assert!(
        resumed
            .stdout
            .contains("not sent, for it is no longer as planned: somebody has said since whose account it is"),
        "{resumed:?}"
    );
    assert_eq!(names(&world), [r#""anna" "anna""#, r#""anna.old" "anna.old""#]);
    assert_eq!(links(&world, "hr/1"), [right.as_str()]);
}

#[test]
fn what_a_run_made_is_not_taken_for_what_she_was_linked_to_since() {
    let world = world(&[("real", "real@example.com")], "");
    let rules = format!("{RULES}account(\"gitlab\", |person| true);\n");
    world.write("rules/rules.rhai", rules.as_bytes());
    world.json(0, &["apply", "--yes", "hr=people.csv"]);
    let (real, made) = (account(&world, "real"), account(&world, "anna"));
    assert_eq!(links(&world, "hr/1"), [made.as_str()]);
    assert_eq!(world.homeward(&["--lab", "link", "hr/1", &real]).status, 0);
    let undone = world.homeward(&["--lab", "undo", "1", "--yes"]);
    assert!(undone.stderr.contains("c1"), "{undone:?}");
    assert_eq!(world.user("gitlab", "username", "real")["state"], "active");
}

#[test]
fn whoever_had_an_account_before_is_not_found_by_it_again() {
    // Both are known to HR; the website has a row for the one who had it.
    let world = two_sources(&ANNA, &ANNA);
    world.write("hr.csv", b"id,email\n1,anna@example.com\n2,ben@example.com\n");
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Annie\n");
    let both = ["apply", "--yes", "hr=hr.csv", "website=web.csv"];
    world.json(0, &both);
    let moved = account(&world, "anna");
    // Nobody loses an account by a slip.
    let refused = world.homeward(&["--lab", "link", "hr/2", &moved]);
    assert_eq!((refused.status, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert!(
        in_one_line(&refused.stderr).contains("see first what hr/1 has: homeward --lab link hr/1; then give --yes")
    );
    let said = world.homeward(&["--lab", "link", "hr/2", &moved, "--yes"]);
    let told = format!(
        "{moved} is hr/2's from now on (run 2).\nit was hr/1's before, who is not found by it again\n\
         website:7 is still hr/1's: where it is hr/2's too, homeward --lab unlink hr/1 website:7\n"
    );
    assert_eq!(said.stdout, told);
    let plan = world.json(0, &["plan", "hr=hr.csv", "website=web.csv"]);
    assert_eq!(plan["summary"]["held"], 0, "{plan:#}");
    world.json(0, &both);
    assert_eq!(links(&world, "hr/2"), [moved.as_str()]);
    assert!(!links(&world, "hr/1").contains(&moved));
}

#[test]
fn what_was_not_hers_under_another_name_is_hers_where_that_was_said() {
    let world = two_sources(&ANNA, &[("anna", "both@example.com")]);
    let rules = format!("{}copies(\"email\", \"gitlab\");\n", world.read("rules/rules.rhai"));
    world.write("rules/rules.rhai", rules.as_bytes());
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Annie\n");
    world.write("hr.csv", b"id,email\n1,both@example.com\n");
    let account = account(&world, "anna");
    // Two people, until somebody says otherwise of one account, and the website says so itself.
    world.json(4, &["apply", "--yes", "website=web.csv"]);
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    assert_eq!(links(&world, "website/7"), [account.as_str()]);
    assert_eq!(world.homeward(&["--lab", "link", "hr/1", &account, "--yes"]).status, 0);
    world.write("web.csv", b"id,email,name\n7,both@example.com,Annie\n");
    world.json(0, &["apply", "--yes", "hr=hr.csv", "website=web.csv"]);
    assert_eq!(world.json(0, &["link", "website/7"])["person"], "hr/1");
    assert_eq!(world.user("gitlab", "username", "anna")["email"], "both@example.com");
    assert_eq!(world.user("mattermost", "username", "anna")["nickname"], "Annie");
    // And the last word counts, by whichever name it was said.
    assert_eq!(world.homeward(&["--lab", "unlink", "hr/1", &account]).status, 0);
    let shown = world.json(0, &["link", "hr/1"]);
    assert_eq!(shown["not_hers"], json!([{ "system": "gitlab", "account": &account[7..] }]));
    world.write("hr.csv", b"id,email\n1,new@example.com\n");
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    assert_eq!(world.user("gitlab", "username", "anna")["email"], "both@example.com");
}

#[test]
fn a_word_on_a_record_holds_where_it_is_found_to_be_of_whoever_has_the_account() {
    let world = two_sources(&ANNA, &ANNA);
    let hers = account(&world, "anna");
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    // That it is hers by a word as well changes nothing of that: the last word speaks of the record.
    assert_eq!(world.homeward(&["--lab", "link", "hr/1", &hers]).status, 0);
    assert_eq!(world.homeward(&["--lab", "unlink", "website/7", &hers]).status, 0);
    let told = format!(", and {hers}, which is hr/1's, was said not to be website/7's; say what is not hers");
    // At Mattermost the record leads to whoever has it.
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Annie\n");
    let reasons = held(&world, &["website=web.csv"]);
    assert!(
        reasons.len() == 1 && reasons[0].starts_with("this leads to somebody else: hr/1 by mattermost:"),
        "{reasons:?}"
    );
    assert!(reasons[0].contains(&told), "{reasons:?}");
    settle(&world, &reasons[0]);
    assert_eq!(held(&world, &["website=web.csv"]), Vec::<String>::new());
    assert_eq!(world.homeward(&["--lab", "link", "website/7"]).status, 0);
    assert!(links(&world, "hr/1").contains(&hers));
}

#[test]
fn nothing_is_promised_from_a_sign_in_through_somebody_elses_account() {
    let world =
        two_sources(&[("anna", "anna@example.com"), ("ben", "ben@example.com")], &[("chat", "chat@example.com")]);
    let (annas, bens) = (account(&world, "anna"), account(&world, "ben"));
    let chat = format!("mattermost:{}", world.user("mattermost", "username", "chat")["id"].as_str().unwrap());
    let through = json!({ "auth_service": "gitlab", "auth_data": annas[7..] });
    world.lab("mattermost", "POST", "meddle/chat", &through);
    let rules = format!("{}copies(\"email\", [\"gitlab\", \"mattermost\"]);\n", world.read("rules/rules.rhai"));
    world.write("rules/rules.rhai", rules.as_bytes());
    world.write("hr.csv", b"id,email\n2,benno@example.com\n");
    for words in [["link", &chat], ["unlink", &annas], ["link", &bens]] {
        assert_eq!(world.homeward(&["--lab", words[0], "hr/2", words[1]]).status, 0, "{words:?}");
    }
    let plan = world.json(0, &["plan", "hr=hr.csv"]);
    let of_chat = plan["changes"].as_array().unwrap().iter().find(|it| it["system"] == "mattermost").unwrap();
    assert_eq!(of_chat["decision"], "refuse", "{of_chat:#}");
    let reason = format!("mattermost takes it from account {} at gitlab", &annas[7..]);
    assert!(of_chat["reason"].as_str().unwrap().starts_with(&reason), "{of_chat:#}");
}

#[test]
fn what_a_record_leads_to_in_place_of_what_is_not_hers_may_be_somebody_elses() {
    let world = two_sources(&[("anna.old", "anna@example.com"), ("anna", "berta@example.com")], &ANNA);
    let rules = world.read("rules/rules.rhai");
    let rules = rules.replace("join(\"gitlab\", \"email\")", "join(\"gitlab\", [\"email\", \"username\"])");
    let rules = rules.replace("nickname: row.name", "username: \"anna\", nickname: row.name");
    world.write("rules/rules.rhai", rules.as_bytes());
    let (not_hers, of_other) = (account(&world, "anna.old"), account(&world, "anna"));
    world.write("hr.csv", b"id,email\n1,anna@example.com\n2,berta@example.com\n");
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    world.json(0, &["unlink", "hr/1", &not_hers]);
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Annie\n");
    let reasons = held(&world, &["website=web.csv"]);
    assert!(
        reasons.len() == 1 && reasons[0].contains(&format!(": hr/2 by {of_other}, hr/1 by mattermost:")),
        "{reasons:?}"
    );
    settle(&world, &reasons[0]);
    world.json(4, &["apply", "--yes", "website=web.csv"]);
    let found = links(&world, "hr/1");
    assert!(found.len() == 2 && found[0].starts_with("mattermost:") && found[1] == "website:7", "{found:?}");
    assert_eq!(links(&world, "hr/2"), [of_other]);
}

#[test]
fn a_record_that_was_taken_for_hers_is_told_apart_for_good() {
    let world = two_sources(&ANNA, &ANNA);
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    let hers = links(&world, "hr/1");
    // Somebody new at the website has an address that was hers.
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Stranger\n");
    world.json(0, &["apply", "--yes", "website=web.csv"]);
    assert_eq!(world.user("mattermost", "username", "anna")["nickname"], "Stranger");
    // Under the stranger's name nothing is said of her by a slip.
    for word in ["link", "unlink"] {
        let refused = world.homeward(&["--lab", word, "website/7", &hers[0]]);
        assert_eq!(refused.status, 2, "{refused:?}");
        let told = in_one_line(&refused.stderr);
        assert!(told.contains("website/7 is taken for a record of hr/1"), "{told}");
        assert!(told.contains("homeward --lab unlink hr/1 website:7"), "{told}");
    }
    let undone = world.homeward(&["--lab", "undo", "2", "--yes"]);
    assert_eq!(undone.status, 0, "{undone:?}");
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Planned\n");
    world.json(0, &["plan", "--out", "plan.json", "website=web.csv"]);
    let unlinked = world.homeward(&["--lab", "unlink", "hr/1", "website:7"]);
    assert!(unlinked.stdout.starts_with("website:7 is not hr/1's from now on"), "{unlinked:?}");
    let kept = format!("hr/1 keeps {}: where one of them came with this record", hers.join(", "));
    assert!(unlinked.stderr.contains(&kept), "{unlinked:?}");
    // What the record asked for before is not done for her any more.
    let refused = world.homeward(&["--lab", "apply", "--yes", "plan.json"]);
    assert_eq!(refused.status, 2, "{refused:?}");
    assert!(in_one_line(&refused.stderr).contains("what somebody has said since stands against it"), "{refused:?}");
    let unknown = world.homeward(&["--lab", "unlink", "hr/1", "website:70"]);
    assert!(unknown.status == 2 && unknown.stderr.contains("no run has seen a record 70 of website"), "{unknown:?}");
    assert_eq!(links(&world, "hr/1"), hers);
    for name in ["Stranger", "Stranger II"] {
        world.write("web.csv", format!("id,email,name\n7,anna@example.com,{name}\n").as_bytes());
        // Her address is HR's to say, and HR does not know her.
        world.json(4, &["apply", "--yes", "website=web.csv"]);
        world.json(4, &["apply", "--yes", "hr=hr.csv", "website=web.csv"]);
        assert_eq!((links(&world, "hr/1"), links(&world, "website/7")), (hers.clone(), Vec::new()));
    }
    let nickname = world.user("mattermost", "username", "anna")["nickname"].clone();
    assert!(nickname.is_null() || nickname == "", "{nickname}");
}

/// HR has its addresses copied, and knows two people.
fn two_people(gitlab: &[(&str, &str)], mattermost: &[(&str, &str)]) -> World {
    let world = two_sources(gitlab, mattermost);
    let rules = world.read("rules/rules.rhai") + "copies(\"email\", [\"gitlab\", \"mattermost\"]);\n";
    world.write("rules/rules.rhai", rules.as_bytes());
    world.write("hr.csv", b"id,email\n1,anna@example.com\n2,berta@example.com\n");
    world.json(0, &["apply", "--yes", "hr=hr.csv"]);
    world
}

/// Carries these lists out; something that a list asks for may be another one's to say.
fn apply(world: &World, lists: &[&str]) {
    let ran = world.homeward(&[&["--lab", "apply", "--yes"], lists].concat());
    assert!([0, 4].contains(&ran.status), "{ran:?}");
}

#[test]
fn a_record_with_an_address_that_is_somebody_elses_by_now_is_not_taken_for_whoever_has_it_yet() {
    let is_berta = |world: &World| world.user("mattermost", "username", "anna")["nickname"] == "Berta";
    // Anna gets another address, and Berta hers: at the website, which is new, Berta has it already.
    let lists = ["hr=hr.csv", "website=web.csv"];
    let begun = || {
        let world = two_people(&ANNA, &ANNA);
        world.write("hr.csv", b"id,email\n1,new@example.com\n2,anna@example.com\n");
        world.write("web.csv", b"id,email,name\n7,anna@example.com,Berta\n");
        world
    };
    let world = begun();
    let before = links(&world, "hr/1");
    let reasons = held(&world, &lists);
    let reason = format!(
        "{} has this `email` and is hr/1's, while hr says it of hr/2: carry that out first, or say whose this record is, as in \
         `homeward link hr/2 website:7`",
        account(&world, "anna")
    );
    assert_eq!(reasons, std::slice::from_ref(&reason));
    apply(&world, &lists);
    assert_eq!((links(&world, "hr/1"), is_berta(&world)), (before.clone(), false));
    assert_eq!(world.user("gitlab", "username", "anna")["email"], "new@example.com");
    // Once it is carried out, nobody has that address.
    assert_eq!(held(&world, &lists), Vec::<String>::new());

    // So does a word settle it.
    let world = begun();
    settle(&world, &reason);
    apply(&world, &lists);
    assert_eq!((links(&world, "hr/1"), links(&world, "hr/2")), (before, vec!["website:7".to_owned()]));
    assert!(!is_berta(&world));
    let shown = world.homeward(&["--lab", "link", "hr/2"]).stdout;
    assert_eq!(shown, "system   account  link\nwebsite  7        hers, by hand\n");
}

/// The website knows Berta by an address that HR does not, so that to begin with they are two; and the account that only the
/// website leads to.
fn two_halves() -> (World, String) {
    let gitlab = [("anna", "anna@example.com"), ("berta", "berta@example.com")];
    let world = two_people(&gitlab, &[("berta", "b@example.com")]);
    world.write("web.csv", b"id,email,name\n7,b@example.com,Bee\n");
    apply(&world, &["website=web.csv"]);
    let [account] = links(&world, "website/7").try_into().unwrap();
    (world, account)
}

#[test]
fn a_record_that_has_become_a_person_is_hers_once_its_accounts_are() {
    let (world, hers) = two_halves();
    let refused = world.homeward(&["--lab", "link", "hr/2", "website:7"]);
    assert_eq!(refused.status, 2, "{refused:?}");
    let told = in_one_line(&refused.stderr);
    assert!(told.contains(&format!("website/7 is taken for a person with {hers}")), "{told}");
    assert!(told.contains(&format!("homeward --lab link hr/2 {hers}")), "{told}");
    assert_eq!(world.homeward(&["--lab", "link", "hr/2", &hers, "-y"]).status, 0);
    assert_eq!(world.homeward(&["--lab", "link", "hr/2", "website:7"]).status, 0);
    // From now on both speak of one, and nothing that was said before stands against that.
    for name in ["Bea", "Beate", "Beatrix"] {
        world.write("web.csv", format!("id,email,name\n7,b@example.com,{name}\n").as_bytes());
        apply(&world, &["hr=hr.csv", "website=web.csv"]);
        assert_eq!(world.user("mattermost", "username", "berta")["nickname"], *name);
    }
    assert_eq!(links(&world, "hr/2"), [account(&world, "berta"), hers, "website:7".to_owned()]);
    // And it can be taken back, and given again.
    assert_eq!(world.homeward(&["--lab", "unlink", "hr/2", "website:7"]).status, 0);
    assert_eq!(links(&world, "hr/2").len(), 2);
    assert_eq!(world.homeward(&["--lab", "link", "hr/2", "website:7"]).status, 0);
    assert_eq!(links(&world, "hr/2").len(), 3);
}

#[test]
fn what_was_given_to_her_stays_hers_when_the_record_it_came_with_is_found_to_be_hers_too() {
    let (world, given) = two_halves();
    assert_eq!(world.homeward(&["--lab", "link", "hr/2", &given, "--yes"]).status, 0);
    // HR hears of her address, so that the record leads to her account at GitLab.
    world.write("hr.csv", b"id,email\n1,anna@example.com\n2,b@example.com\n");
    for name in ["Bea", "Beate", "Beatrix", "Trixi"] {
        world.write("web.csv", format!("id,email,name\n7,b@example.com,{name}\n").as_bytes());
        apply(&world, &["hr=hr.csv", "website=web.csv"]);
    }
    assert_eq!(world.user("mattermost", "username", "berta")["nickname"], "Trixi");
    assert_eq!(links(&world, "hr/2"), [account(&world, "berta"), given, "website:7".to_owned()]);
    let shown = world.json(0, &["link", "hr/2"]);
    assert_eq!(shown["not_hers"], json!([]));
}

#[test]
fn a_word_on_what_a_record_was_only_found_by_is_one_on_the_record() {
    // It has the address of one and the username of the other.
    let world = two_people(&ANNA, &[("anna", "anna@example.com"), ("berta", "berta@example.com")]);
    let rules =
        world.read("rules/rules.rhai").replace("join(\"mattermost\", \"email\")", "join(\"mattermost\", \"username\")");
    let rules = rules.replace("nickname: row.name", "username: \"berta\", nickname: row.name");
    world.write("rules/rules.rhai", rules.as_bytes());
    let of_other = links(&world, "hr/2")[0].clone();
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Annie\n");
    let lists = ["hr=hr.csv", "website=web.csv"];
    let reasons = held(&world, &lists);
    assert!(
        reasons.len() == 1 && reasons[0].ends_with(&format!("`homeward unlink website/7 {of_other}`")),
        "{reasons:?}"
    );
    settle(&world, &reasons[0]);
    assert_eq!(held(&world, &lists), Vec::<String>::new());
    apply(&world, &lists);
    assert_eq!(world.user("mattermost", "username", "anna")["nickname"], "Annie");
}

#[test]
fn of_an_address_that_was_handed_on_what_is_said_now_counts() {
    // Anna has left and is not listed any more; Berta has her address, and her accounts.
    let world = two_people(&ANNA, &ANNA);
    let mut accounts = links(&world, "hr/1");
    for account in &accounts {
        assert_eq!(world.homeward(&["--lab", "link", "hr/5", account, "--yes"]).status, 0);
    }
    world.write("hr.csv", b"id,email\n5,anna@example.com\n");
    apply(&world, &["hr=hr.csv"]);
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Berta\n");
    // Without HR's list it is not known which of the two was said later.
    let both = format!(
        "{} has this `email` and is hr/5's, and it is said of hr/1 too: say whose this record is, by `homeward link hr/5 \
         website:7` or `homeward link hr/1 website:7`",
        account(&world, "anna")
    );
    assert_eq!(held(&world, &["website=web.csv"]), [both]);
    assert_eq!(held(&world, &["hr=hr.csv", "website=web.csv"]), Vec::<String>::new());
    apply(&world, &["hr=hr.csv", "website=web.csv"]);
    accounts.push("website:7".to_owned());
    assert_eq!(links(&world, "hr/5"), accounts);
    assert_eq!(world.user("mattermost", "username", "anna")["nickname"], "Berta");
}

#[test]
fn what_an_owner_said_counts_for_whose_an_address_is_while_it_waits() {
    // Anna gets another address and Berta hers, and that waits; of Berta the website tells meanwhile.
    let world = two_people(&ANNA, &ANNA);
    let before = links(&world, "hr/1");
    let rules = world.read("rules/rules.rhai");
    world.write("rules/rules.rhai", format!("{rules}guard(|plan| hold(\"look first\"));\n").as_bytes());
    world.write("hr.csv", b"id,email\n1,new@example.com\n2,anna@example.com\n");
    let waits = world.homeward(&["--lab", "apply", "--yes", "hr=hr.csv"]);
    assert_eq!(waits.status, 6, "{waits:?}");
    world.write("rules/rules.rhai", rules.as_bytes());
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Berta\n");
    let reasons = held(&world, &["website=web.csv"]);
    assert!(reasons.len() == 1 && reasons[0].contains("while hr says it of hr/2: carry that out first"), "{reasons:?}");
    apply(&world, &["website=web.csv"]);
    assert_eq!(links(&world, "hr/1"), before);
    // Once it is carried out, the record leads to nobody's account.
    let approved = world.homeward(&["--lab", "approve", "2", "--yes", "--anyway"]);
    assert_eq!(approved.status, 0, "{approved:?}");
    assert_eq!(held(&world, &["website=web.csv"]), Vec::<String>::new());
    apply(&world, &["website=web.csv"]);
    assert_eq!(links(&world, "hr/1"), before);
    let nickname = world.user("mattermost", "username", "anna")["nickname"].clone();
    assert!(nickname.is_null() || nickname == "", "{nickname}");
}

#[test]
fn which_of_several_has_an_address_now_does_not_depend_on_the_order_of_rows() {
    let reasons = |rows: &str| {
        let world = two_people(&ANNA, &[]);
        world.write("hr.csv", format!("id,email\n1,new@example.com\n{rows}").as_bytes());
        world.write("web.csv", b"id,email,name\n7,anna@example.com,Berta\n");
        held(&world, &["hr=hr.csv", "website=web.csv"])
    };
    let one = reasons("3,anna@example.com\n2,anna@example.com\n");
    assert!(one.len() == 1 && one[0].contains("while hr says it of hr/2"), "{one:?}");
    assert_eq!(one, reasons("2,anna@example.com\n3,anna@example.com\n"));
}

#[test]
fn who_is_listed_as_gone_has_an_address_still_before_who_is_not_listed_any_more() {
    // Anna is not listed any more. Berta has her address, and has left as well; her record at the website is new.
    let world = two_people(&ANNA, &ANNA);
    let rules = world.read("rules/rules.rhai");
    let rules = rules.replace(
        "source(\"hr\", |row| #{ key: row.id, email: row.email })",
        "source(\"hr\", |row| #{ key: row.id, email: row.email, active: row.status == \"in\" })",
    );
    let rules = rules.replace("owner([\"email\", \"username\"]", "owner([\"active\", \"email\", \"username\"]");
    world.write("rules/rules.rhai", rules.as_bytes());
    let before = links(&world, "hr/1");
    world.write("hr.csv", b"id,email,status\n5,anna@example.com,out\n");
    world.write("web.csv", b"id,email,name\n7,anna@example.com,Berta\n");
    let lists = ["hr=hr.csv", "website=web.csv"];
    let reasons = held(&world, &lists);
    assert!(reasons.len() == 1 && reasons[0].contains("link hr/5 website:7"), "{reasons:?}");
    apply(&world, &lists);
    assert_eq!(links(&world, "hr/1"), before);
    // Whoever is there has it before whoever has left.
    world.write("hr.csv", b"id,email,status\n1,anna@example.com,in\n5,anna@example.com,out\n");
    assert_eq!(held(&world, &lists), Vec::<String>::new());
}
