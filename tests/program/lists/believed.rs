//! `recheck`: of whom a list says what the last one said is not looked at, until anything speaks against it.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::{Value, json};

use super::{
    common::{World, journey::calls},
    company::{RULES, Row, TODAY, config, list, rows, stranger},
};

const BELIEVED: &str = "coverage = \"full\"\nrecheck = \"12h\"";

/// A company whose first list was taken over, and that believes what it knows.
fn believer(people: usize, limits: &str) -> World {
    let world = stranger(people, BELIEVED, limits);
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    world.forget(&["gitlab"]);
    world
}

/// The plan of a list and how many requests it took.
fn planned(world: &World, name: &str, arguments: &[&str]) -> (Value, usize) {
    world.forget(&["gitlab"]);
    let mut all = vec!["plan", name];
    all.extend(arguments);
    let plan = world.on(TODAY, 0, &all);
    (plan, world.asked("gitlab").len())
}

/// Something that is done to a world, which is told other rules.
type Change = fn(&World, &str);

fn renamed(number: usize, username: &str) -> Row {
    Row { username: username.to_owned(), ..Row::of(number) }
}

#[test]
fn yesterdays_list_asks_nobody_and_says_so() {
    let world = believer(20, "");
    let (plan, asked) = planned(&world, "hr=day1.csv", &[]);
    let sha256 = &plan["inputs"][0]["sha256"];
    let input = json!({
        "system": "hr", "file": "day1.csv", "sha256": sha256, "records": 20, "rejected": 0, "same_as": 1
    });
    assert_eq!((&plan["inputs"], &plan["calls"], asked), (&json!([input]), &json!([]), 0));
    let nothing = json!({
        "people": 20, "changes": 0, "calls": 0, "unchanged": 20, "refused": 0, "held": 0, "follows": 0, "dropped": 0,
        "rejected": 0
    });
    assert_eq!(plan["summary"], nothing);
    let told = world.told(0, &["plan", "hr=day1.csv"]);
    let since = told.split("looked at on ").nth(1).and_then(|rest| rest.split(';').next()).unwrap_or_default();
    assert_eq!(
        told,
        format!(
            "note: day1.csv says what it said when run 1 took it over, and nothing was left open: nobody is asked. All were \
             looked at on {since}; --recheck looks again\n"
        )
    );
    // And nothing is begun for it.
    let report = world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    assert_eq!((&report["run"], &report["outcomes"]), (&json!(1), &json!([])));
    assert_eq!(world.on(TODAY, 0, &["runs"])["runs"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.asked("gitlab"), Vec::<String>::new());
}

#[test]
fn the_same_people_ask_nobody_however_the_list_is_written() {
    let world = believer(20, "");
    let mut shuffled = rows(1..=20);
    shuffled.reverse();
    shuffled.swap(3, 11);
    let quoted = list(&rows(1..=20)).replace("First7,Last7", "\"First7\" ,\"Last7\"");
    for text in [list(&shuffled), quoted] {
        world.write("next.csv", text.as_bytes());
        let (plan, asked) = planned(&world, "hr=next.csv", &[]);
        assert_eq!((&plan["calls"], &plan["inputs"][0]["same_as"], asked), (&json!([]), &json!(1), 0));
    }
    // What is applied is remembered as it stands, so that the next list is seen to end early; and is no younger for it.
    world.write("next.csv", list(&shuffled).as_bytes());
    world.forget(&["gitlab"]);
    let report = world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!((&report["run"], world.asked("gitlab")), (&json!(2), Vec::new()));
    let (plan, asked) = planned(&world, "hr=next.csv", &[]);
    assert_eq!((&plan["inputs"][0]["same_as"], asked), (&json!(2), 0));
    shuffled.truncate(18);
    world.write("cut.csv", list(&shuffled).as_bytes());
    world.on(TODAY, 6, &["plan", "hr=cut.csv"]);
    // A last line without its end may be a list that was cut off.
    let text = list(&rows(1..=20));
    world.write("cut.csv", text.trim_end().as_bytes());
    world.on(TODAY, 6, &["plan", "hr=cut.csv"]);
}

/// What a plan decides, beside the inputs it is made of and its id.
fn decided(plan: &Value) -> Value {
    json!(
        ["summary", "changes", "operations", "calls", "links", "seen", "rejected", "warnings"].map(|part| &plan[part])
    )
}

#[test]
fn of_a_list_with_something_new_only_those_are_looked_at_of_whom_it_says_so() {
    let world = believer(400, "");
    let mut renamed_one = rows(1..=400);
    renamed_one[6] = renamed(7, "user7b");
    let gone = rows((1..=400).filter(|number| *number != 7));
    for rows in [rows(1..=401), gone, renamed_one] {
        world.write("next.csv", list(&rows).as_bytes());
        let (plan, asked) = planned(&world, "hr=next.csv", &[]);
        assert_eq!((calls(&plan).len(), &plan["inputs"][0]["same_as"]), (1, &Value::Null), "{plan}");
        let (whole, all_asked) = planned(&world, "hr=next.csv", &["--recheck"]);
        assert_eq!(decided(&plan), decided(&whole));
        assert!(0 < asked && asked < all_asked, "{asked} of {all_asked}");
        assert_ne!(plan["inputs"][0]["list"]["believed"]["since"], Value::Null);
        let told = world.told(0, &["plan", "hr=next.csv"]);
        let note = told.lines().find(|line| line.starts_with("note: nobody looks at ")).unwrap_or_default();
        let people = if rows.len() == 401 { 400 } else { 399 };
        let begins = format!(
            "note: nobody looks at {people} people of whom nothing new is said and nothing was left open. All were looked \
             at on 20"
        );
        assert!(note.starts_with(&begins) && note.ends_with("; --recheck looks again"), "{told}");
        assert_eq!(world.told(0, &["plan", "hr=next.csv", "--recheck"]).matches("nobody looks").count(), 0);
    }
}

#[test]
fn whoever_comes_under_a_name_that_somebody_has_is_told_from_her_without_her_being_looked_at() {
    let world = believer(20, "");
    // The newcomer has the address of one who is not looked at, and the renamed one her username.
    let mut next = rows(1..=20);
    next.push(Row { email: "p3@example.com".to_owned(), ..Row::of(21) });
    next[6] = renamed(7, "user4");
    // Two change names with each other.
    (next[9].username, next[10].username) = ("user11".to_owned(), "user10".to_owned());
    world.write("next.csv", list(&next).as_bytes());
    let (plan, _) = planned(&world, "hr=next.csv", &[]);
    let (whole, _) = planned(&world, "hr=next.csv", &["--recheck"]);
    assert_eq!(decided(&plan), decided(&whole));
    let about: BTreeSet<&str> =
        plan["changes"].as_array().unwrap().iter().filter_map(|it| it["person"].as_str()).collect();
    assert!(["hr/000007", "hr/000010", "hr/000011", "hr/000021"].iter().all(|person| about.contains(person)), "{plan}");
}

#[test]
fn everybody_is_looked_at_when_the_time_is_over_however_many_lists_came_since() {
    let world = believer(20, "");
    let since = |plan: &Value| plan["inputs"][0]["list"]["believed"]["since"].clone();
    let mut next = rows(1..=20);
    let mut first = Value::Null;
    for number in [3, 5, 8] {
        next[number] = renamed(number + 1, &format!("user{number}b"));
        world.write("next.csv", list(&next).as_bytes());
        let (plan, _) = planned(&world, "hr=next.csv", &[]);
        if first.is_null() {
            first = since(&plan);
        }
        assert_eq!((calls(&plan).len(), since(&plan), first.is_null()), (1, first.clone(), false));
        world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
    }
    // Whoever was renamed is looked at once more, and then nobody.
    let (plan, asked) = planned(&world, "hr=next.csv", &[]);
    assert_eq!((&plan["inputs"][0]["same_as"], since(&plan), asked == 0), (&Value::Null, first.clone(), false));
    world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
    let (plan, asked) = planned(&world, "hr=next.csv", &[]);
    assert_eq!((&plan["inputs"][0]["same_as"], asked), (&json!(5), 0));
    // What others did to somebody of whom nothing was said is seen then, and with whatever is said of her.
    let user = world.user("gitlab", "username", "user17");
    let id = user["id"].as_str().unwrap();
    let answer = world.ask("gitlab", "PUT", &format!("/api/v4/users/{id}"), &[], &json!({ "name": "Somebody Else" }));
    assert_eq!(answer.status, 200);
    next[0] = renamed(1, "user1b");
    world.write("next.csv", list(&next).as_bytes());
    assert_eq!(calls(&planned(&world, "hr=next.csv", &[]).0).len(), 1);
    assert_eq!(calls(&planned(&world, "hr=next.csv", &["--recheck"]).0).len(), 2);
    next[16].email = "p17b@example.com".to_owned();
    world.write("next.csv", list(&next).as_bytes());
    assert_eq!(
        decided(&planned(&world, "hr=next.csv", &[]).0),
        decided(&planned(&world, "hr=next.csv", &["--recheck"]).0)
    );
}

#[test]
fn nothing_is_believed_when_the_time_is_over() {
    let world = stranger(20, "coverage = \"full\"\nrecheck = \"1ms\"", "");
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    let mut next = rows(1..=20);
    next[6] = renamed(7, "user7b");
    world.write("next.csv", list(&next).as_bytes());
    for name in ["hr=day1.csv", "hr=next.csv"] {
        let (plan, asked) = planned(&world, name, &[]);
        assert_eq!((&plan["inputs"][0]["same_as"], asked == 0), (&Value::Null, false), "{name}");
        assert_eq!(plan["inputs"][0]["list"]["believed"]["since"], Value::Null, "{name}");
    }
}

#[test]
fn who_could_be_taken_for_somebody_who_is_not_looked_at_has_everybody_looked_at() {
    // The last one works here no more, and has no account.
    let mut everybody = rows(1..=21);
    everybody[20].ends = "2020-01-01".to_owned();
    let world = stranger(20, BELIEVED, "");
    world.write("day1.csv", list(&everybody).as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    // Somebody makes her one by hand, and then one comes who has her address.
    let account = json!({ "email": "p21@example.com", "username": "user21", "name": "First21 Last21", "password": "a-Long-0ne-of-words" });
    let made = world.ask("gitlab", "POST", "/api/v4/users", &[], &account);
    assert_eq!(made.status, 201);
    everybody.push(Row { email: "p21@example.com".to_owned(), ..Row::of(22) });
    world.write("next.csv", list(&everybody).as_bytes());
    let (plan, _) = planned(&world, "hr=next.csv", &[]);
    let (whole, _) = planned(&world, "hr=next.csv", &["--recheck"]);
    assert_eq!(decided(&plan), decided(&whole));
    assert_ne!(plan["summary"]["held"], 0, "{plan}");
    assert_eq!(calls(&plan), Vec::<Value>::new());
    assert_eq!(plan["inputs"][0]["list"]["believed"], Value::Null, "and somebody is held");
}

#[test]
fn a_list_of_which_somebody_is_held_without_anything_being_asked_for_is_looked_at_again() {
    let rules = RULES
        .replace("join(\"gitlab\", \"email\")", "join(\"gitlab\", [\"email\", \"username\"])")
        .replace("\naccount(", "\n// account(");
    let world = stranger(20, BELIEVED, "");
    world.write("homeward.toml", config(BELIEVED, "").replace("\"state\"", "\"changes\"").as_bytes());
    world.write("rules/people.rhai", rules.as_bytes());
    // Two who could both have the account of the eighth.
    let mut everybody = rows(1..=20);
    everybody[6] = Row { email: "nobody7@example.com".to_owned(), username: "user8".to_owned(), ..Row::of(7) };
    everybody[7].username = "nobody8".to_owned();
    world.write("day1.csv", list(&everybody).as_bytes());
    let first = world.on(TODAY, 0, &["plan", "hr=day1.csv"]);
    assert_eq!((&first["changes"], &first["inputs"][0]["list"]["believed"]), (&json!([]), &Value::Null), "{first}");
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    everybody[6].first = "Other".to_owned();
    world.write("next.csv", list(&everybody).as_bytes());
    let (plan, asked) = planned(&world, "hr=next.csv", &[]);
    let (whole, all_asked) = planned(&world, "hr=next.csv", &["--recheck"]);
    assert_eq!((decided(&plan), asked), (decided(&whole), all_asked));
    assert_eq!(calls(&plan), Vec::<Value>::new());
}

#[test]
fn what_others_changed_at_a_provider_is_seen_when_everybody_is_looked_at() {
    let world = believer(20, "");
    let user = world.user("gitlab", "username", "user3");
    let id = user["id"].as_str().unwrap();
    let answer = world.ask("gitlab", "PUT", &format!("/api/v4/users/{id}"), &[], &json!({ "name": "Somebody Else" }));
    assert_eq!(answer.status, 200);
    let (plan, asked) = planned(&world, "hr=day1.csv", &[]);
    assert_eq!((calls(&plan), asked), (Vec::new(), 0));
    let (plan, _) = planned(&world, "hr=day1.csv", &["--recheck"]);
    assert_eq!(calls(&plan).len(), 1, "{:?}", calls(&plan));
}

#[test]
fn a_saved_plan_does_not_say_when_anybody_was_looked_at() {
    let world = stranger(20, BELIEVED, "");
    world.on(TODAY, 0, &["plan", "hr=day1.csv", "--out", "plan.json"]);
    world.on(TODAY, 0, &["apply", "--yes", "plan.json"]);
    let (_, asked) = planned(&world, "hr=day1.csv", &[]);
    assert_ne!(asked, 0);

    // Nor when it was held, and approved later still.
    let world = believer(20, "changes = \"5%\"");
    let next: Vec<Row> = (1..=20)
        .map(|number| if number > 6 { Row::of(number) } else { renamed(number, &format!("new{number}")) })
        .collect();
    world.write("next.csv", list(&next).as_bytes());
    world.on(TODAY, 6, &["plan", "hr=next.csv", "--out", "plan.json"]);
    world.on(TODAY, 6, &["apply", "--yes", "plan.json"]);
    world.on(TODAY, 0, &["approve", "2", "--yes"]);
    world.forget(&["gitlab"]);
    let told = world.told(0, &["plan", "hr=next.csv"]);
    assert!(told.starts_with("read ") && !told.contains("nobody looks at"), "{told}");
}

#[test]
fn a_list_that_left_something_open_is_looked_at_again() {
    let world = believer(20, "protected = [\"gitlab:user3\"]");
    let mut next = rows(1..=20);
    next[2] = renamed(3, "user3b");
    world.write("next.csv", list(&next).as_bytes());
    world.on(TODAY, 4, &["apply", "--yes", "hr=next.csv"]);
    let (plan, asked) = planned(&world, "hr=next.csv", &[]);
    assert_eq!((&plan["summary"]["held"], &plan["inputs"][0]["same_as"]), (&json!(1), &Value::Null));
    assert_ne!(asked, 0);

    // A row that cannot be used may be anybody's tomorrow.
    let world = believer(20, "");
    world.write(
        "next.csv",
        (list(&rows(1..=20)) + "000021,a,b\n000022,First22,Last22,p22@example.com,user22,,\n").as_bytes(),
    );
    world.on(TODAY, 4, &["apply", "--yes", "hr=next.csv"]);
    let (_, asked) = planned(&world, "hr=next.csv", &[]);
    assert_ne!(asked, 0);
}

#[test]
fn what_was_sent_for_another_input_or_was_taken_back_since_a_plan_was_made_ends_it() {
    let world = stranger(20, BELIEVED, "");
    let more = config(BELIEVED, "").replace(
        "[systems.gitlab]",
        "[systems.desk]\nkind = \"csv\"\nkey = \"id\"\nsays = \"changes\"\n\n[systems.gitlab]",
    );
    world.write("homeward.toml", more.as_bytes());
    let rules = format!(
        "{RULES}\nowner(\"gitlab.note\", \"desk\");\nsource(\"desk\", |row| #{{ key: row.id, email: row.email, \"gitlab.note\": row.note }});\n"
    );
    world.write("rules/people.rhai", rules.as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    world.write("desk.csv", b"id,email,note\n7,p7@example.com,one\n");
    // A first sight asks for nothing, but rules may rest on what it shows; the same once more is nothing new.
    world.on(TODAY, 0, &["apply", "--yes", "desk=desk.csv"]);
    assert_ne!(planned(&world, "hr=day1.csv", &[]).1, 0);
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    world.on(TODAY, 0, &["apply", "--yes", "desk=desk.csv"]);
    assert_eq!(planned(&world, "hr=day1.csv", &[]).1, 0);
    world.write("desk.csv", b"id,email,note\n7,p7@example.com,two\n");
    let report = world.on(TODAY, 0, &["apply", "--yes", "desk=desk.csv"]);
    assert_eq!(report["outcomes"].as_array().map(Vec::len), Some(1));
    assert_ne!(planned(&world, "hr=day1.csv", &[]).1, 0);

    // Taken back between the making of a plan that waits and its doing: nobody knows what it would ask for now.
    let world = believer(20, "");
    let mut next = rows(1..=20);
    next[2] = renamed(3, "user3b");
    world.write("next.csv", list(&next).as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
    next[4] = renamed(5, "user5b");
    world.write("third.csv", list(&next).as_bytes());
    world.on(TODAY, 0, &["plan", "hr=third.csv", "--out", "plan.json"]);
    world.on(TODAY, 0, &["undo", "--yes", "2"]);
    world.on(TODAY, 0, &["apply", "--yes", "plan.json"]);
    let (plan, asked) = planned(&world, "hr=third.csv", &[]);
    assert_eq!((calls(&plan).len(), asked == 0), (1, false), "{plan}");
}

#[test]
fn what_another_source_says_and_a_rule_holds_is_held_in_the_next_list_too() {
    let world = stranger(20, BELIEVED, "");
    let more = config(BELIEVED, "").replace(
        "[systems.gitlab]",
        "[systems.desk]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\n\n[systems.gitlab]",
    );
    world.write("homeward.toml", more.as_bytes());
    let rules = RULES.replace("person.active);", "person.active && person.department != \"Gone\");");
    assert_ne!(rules, RULES);
    let rules = format!(
        "{rules}\nowner(\"department\", \"desk\");\n\
         source(\"desk\", |row| #{{ key: row.id, email: row.email, department: row.note }});\n\
         route(|change| if change.attribute == \"active\" {{ hold(\"ask first\") }});\n"
    );
    world.write("rules/people.rhai", rules.as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    world.write("desk.csv", b"id,email,note\n7,p7@example.com,Gone\n");
    world.on(TODAY, 4, &["apply", "--yes", "desk=desk.csv"]);
    let mut next = rows(1..=20);
    next[2] = renamed(3, "user3b");
    world.write("next.csv", list(&next).as_bytes());
    let (plan, _) = planned(&world, "hr=next.csv", &[]);
    let (whole, _) = planned(&world, "hr=next.csv", &["--recheck"]);
    assert_eq!(decided(&plan), decided(&whole));
    assert_eq!((calls(&plan).len(), &plan["summary"]["held"]), (1, &json!(1)), "{plan}");
}

#[test]
fn rows_about_nobody_are_no_people_however_the_list_is_looked_at() {
    let settings = "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\ncoverage = \"full\"\nrecheck = \"12h\"\n\
                    [systems.mattermost]\nkind = \"mattermost\"\nurl = \"https://chat.example.com\"\n\
                    token = { env = \"MATTERMOST_TOKEN\" }\n";
    let rules = r#"
        owner("username", "hr");
        copies("username", "mattermost");
        source("hr", |row| if row.kind == "news" {
            perform("mattermost", "post_message", #{ channel: "alpha/town-square", text: `News ${row.id}` })
        } else {
            #{ key: row.id, username: row.username, email: row.email }
        });
        join("mattermost", "email");
        guard(|plan| if plan.summary.people > 2 { hold("too many people") });
    "#;
    let users = ["ann", "ben"].map(|name| json!({ "username": name, "email": format!("{name}@example.com") }));
    let teams = json!([{ "name": "alpha", "channels": [{ "name": "town-square" }] }]);
    let mut world = World::new()
        .file("homeward.toml", settings)
        .file("rules/people.rhai", rules)
        .file("lab/mattermost.json", &json!({ "users": users, "teams": teams }).to_string())
        .file(
            "day1.csv",
            "id,username,email,kind\n1,ann,ann@example.com,p\n2,ben,ben@example.com,p\n10,,,news\n11,,,news\n",
        )
        .file(
            "back.csv",
            "id,username,email,kind\n11,,,news\n10,,,news\n1,ann,ann@example.com,p\n2,ben,ben@example.com,p\n",
        );
    world.start_lab(&[]);
    // Once to post the news, and once more with nothing to do.
    for _ in 0..2 {
        world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    }
    for name in ["hr=day1.csv", "hr=back.csv"] {
        let believed = world.on(TODAY, 0, &["plan", name]);
        assert_eq!(believed["inputs"][0]["same_as"], json!(2), "{believed:#}");
        let whole = world.on(TODAY, 0, &["plan", name, "--recheck"]);
        assert_eq!((&believed["summary"]["people"], decided(&believed)), (&json!(2), decided(&whole)));
    }
}

#[test]
fn whoever_left_without_an_account_is_nobody_of_the_list_that_comes_again() {
    let world = stranger(20, BELIEVED, "");
    let rules = RULES.replace("person.active)", "person.active && person.username != \"user21\")");
    world.write("rules/people.rhai", rules.as_bytes());
    let all: Vec<Row> = std::iter::once(Row::of(21)).chain(rows(1..=20)).collect();
    world.write("all.csv", list(&all).as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=all.csv"]);
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    let (again, asked) = planned(&world, "hr=day1.csv", &[]);
    assert_eq!((asked, &again["inputs"][0]["same_as"]), (0, &json!(2)), "{again:#}");
    let (whole, _) = planned(&world, "hr=day1.csv", &["--recheck"]);
    assert_eq!((&again["summary"], &again["summary"]["people"]), (&whole["summary"], &json!(20)));
}

#[test]
fn a_list_that_counts_other_rows_than_it_has_is_refused_whatever_the_last_one_said() {
    let world = stranger(20, &format!("{BELIEVED}\ncount_line = \"Records: ([0-9]+)\""), "");
    let counted = |told: usize| format!("Records: {told}\n{}", list(&rows(1..=20)));
    world.write("right.csv", counted(20).as_bytes());
    world.write("wrong.csv", counted(21).as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=right.csv"]);
    assert_eq!(planned(&world, "hr=right.csv", &[]).1, 0);
    let told = world.told(4, &["plan", "hr=wrong.csv"]);
    assert!(told.contains("line 1 says that there are 21 rows, and there are 20"), "{told}");
}

#[test]
fn nothing_is_believed_any_more_once_anything_speaks_against_it() {
    let by_day = RULES.replace("person.active);", "person.active && today() < \"2099-01-01\");");
    let other = RULES.replace("+ \" \" +", "+ \"  \" +");
    let cases: [(&str, Change); 3] = [
        ("other rules", |world, other| world.write("rules/people.rhai", other.as_bytes())),
        ("other settings", |world, _| {
            world.write("homeward.toml", config(BELIEVED, "removals = { share = \"9%\" }").as_bytes());
        }),
        ("a run that was taken back", |world, _| {
            let mut next = rows(1..=20);
            next[2] = renamed(3, "user3b");
            world.write("next.csv", list(&next).as_bytes());
            world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
            world.on(TODAY, 0, &["undo", "--yes", "2"]);
            world.write("day1.csv", list(&next).as_bytes());
        }),
    ];
    for (what, change) in cases {
        let world = believer(20, "");
        change(&world, &other);
        world.forget(&["gitlab"]);
        let plan = world.on(TODAY, 0, &["plan", "hr=day1.csv"]);
        assert_ne!(world.asked("gitlab"), Vec::<String>::new(), "{what}");
        assert_eq!(plan["inputs"][0]["same_as"], Value::Null, "{what}");
    }

    // A day on which other people may get accounts, where the rules ask for the day.
    for (rules, asks) in [(RULES, false), (by_day.as_str(), true)] {
        let world = stranger(20, BELIEVED, "");
        world.write("rules/people.rhai", rules.as_bytes());
        world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
        world.forget(&["gitlab"]);
        world.on("2026-11-21", 0, &["plan", "hr=day1.csv"]);
        assert_eq!(!world.asked("gitlab").is_empty(), asks, "{rules}");
    }
}

/// Two people, then three, at systems that know nobody; the rules say the rest.
fn newcomers(systems: &[&str], rules: &str, seeds: &[(&str, Value)]) -> World {
    let mut config =
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\ncoverage = \"full\"\nrecheck = \"7d\"\n"
            .to_owned();
    for kind in systems {
        write!(config, "\n[systems.{kind}]\nkind = \"{kind}\"\nurl = \"https://{kind}.example.com\"\ntoken = {{ env = \"TOKEN\" }}\n").unwrap();
    }
    let mut world = World::new().file("homeward.toml", &config).file("rules/people.rhai", rules);
    for (kind, seed) in seeds {
        world = world.file(&format!("lab/{kind}.json"), &seed.to_string());
    }
    let two = "id,username,email\n1,ann,ann@example.com\n2,ben,ben@example.com\n";
    let mut world = world.file("day1.csv", two).file("next.csv", &format!("{two}3,cleo,cleo@example.com\n"));
    world.start_lab(&[]);
    world
}

#[test]
fn what_rules_make_of_what_a_run_did_is_seen_with_the_next_list() {
    let by_account = "owner([\"username\", \"email\", \"display_name\"], \"hr\");\n\
                      source(\"hr\", |row| #{ key: row.id, username: row.username, email: row.email, display_name: row.username });\n\
                      copies([\"username\", \"email\"], [\"gitlab\", \"mattermost\"]);\ncopies(\"display_name\", \"gitlab\");\n\
                      join(\"gitlab\", \"email\");\njoin(\"mattermost\", \"email\");\n\
                      account(\"gitlab\");\naccount(\"mattermost\", |person| person.gitlab != ());\n";
    let by_set = "owner([\"username\", \"email\", \"mattermost.teams\"], \"hr\");\n\
                  copies([\"username\", \"email\"], \"mattermost\");\nrange(\"mattermost.teams\", [\"alpha\"]);\n\
                  source(\"hr\", |row| #{ key: row.id, username: row.username, email: row.email, \"mattermost.teams\": [\"alpha\"] });\n\
                  join(\"mattermost\", \"email\");\naccount(\"mattermost\");\n";
    let teams = json!({ "teams": [{ "name": "alpha" }] });
    for world in [
        newcomers(&["gitlab", "mattermost"], by_account, &[]),
        newcomers(&["mattermost"], by_set, &[("mattermost", teams)]),
    ] {
        world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
        for (name, calls_made) in [("hr=day1.csv", 2), ("hr=next.csv", 3)] {
            let (plan, whole) = (world.on(TODAY, 0, &["plan", name]), world.on(TODAY, 0, &["plan", name, "--recheck"]));
            assert_eq!((decided(&plan), calls(&plan).len()), (decided(&whole), calls_made), "{name}");
        }
        // Until there is nothing left to do.
        for calls_made in [3, 1, 0] {
            let report = world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
            assert_eq!(report["outcomes"].as_array().map(Vec::len), Some(calls_made), "{report}");
        }
        assert_ne!(world.on(TODAY, 0, &["plan", "hr=next.csv"])["inputs"][0]["same_as"], Value::Null);
    }
}

#[test]
fn what_a_rule_drops_counts_for_guards_each_night() {
    let dropping = RULES.to_owned()
        + "route(|change| if change.from == \"First3 Last3\" { drop(\"stays\") });\n\
           guard(|plan| if plan.changes.len() > 1 { hold(\"many\") });\n";
    let world = stranger(20, BELIEVED, "");
    world.write("rules/people.rhai", dropping.as_bytes());
    let mut next = rows(1..=20);
    next[2].last = "Other".to_owned();
    world.write("next.csv", list(&next).as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
    // Nothing new is said of her, and she is told of all the same; nobody else is looked at.
    let (plan, whole) = (planned(&world, "hr=next.csv", &[]).0, planned(&world, "hr=next.csv", &["--recheck"]).0);
    assert_eq!((&plan["summary"]["dropped"], decided(&plan)), (&json!(1), decided(&whole)));
    assert_ne!(plan["inputs"][0]["list"]["believed"]["since"], Value::Null);
    next[4] = renamed(5, "user5b");
    world.write("next.csv", list(&next).as_bytes());
    for more in [&[][..], &["--recheck"]] {
        world.on(TODAY, 6, &[&["plan", "hr=next.csv"], more].concat());
    }
}

/// Something that happens to a list overnight: to one of its people, and maybe by what another is known by.
fn overnight(rows: &mut Vec<Row>, dice: &mut impl FnMut(usize) -> usize, newcomer: &mut usize) {
    let (one, other) = (dice(rows.len()), dice(rows.len()));
    match dice(8) {
        0 => drop(rows.remove(one)),
        1 => {
            *newcomer += 1;
            rows.push(Row::of(*newcomer));
        }
        // With the address, or the username, of somebody who is there.
        2 => {
            *newcomer += 1;
            rows.push(Row { email: rows[one].email.clone(), ..Row::of(*newcomer) });
        }
        3 => rows[one].username = rows[other].username.clone(),
        4 => {
            let username = std::mem::take(&mut rows[one].username);
            rows[one].username = std::mem::replace(&mut rows[other].username, username);
        }
        5 => rows[one].email = format!("new{}", rows[one].email),
        // Who left and is back, under her number.
        6 => {
            let number = dice(*newcomer) + 1;
            if rows.iter().all(|row| row.id != Row::of(number).id) {
                rows.push(Row::of(number));
            }
        }
        _ => rows[one].last = format!("{}-Other", rows[one].last),
    }
}

#[test]
fn whatever_changes_overnight_is_decided_as_if_everybody_was_looked_at() {
    let (mut believed, mut nights) = (0, 0);
    for seed in 1_u64..=4 {
        let mut state = seed;
        let mut dice = |sides: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % sides
        };
        let world = believer(24, "removals = { share = \"100%\" }\nchanges = \"100%\"");
        let (mut people, mut newcomer) = (rows(1..=24), 24);
        for night in 0..8 {
            let before = people.clone();
            for _ in 0..=dice(3) {
                overnight(&mut people, &mut dice, &mut newcomer);
            }
            world.write("next.csv", list(&people).as_bytes());
            let plan_of = |more: &[&str]| {
                let ran = world.homeward(
                    &[&["--lab", "--today", TODAY, "--format", "json", "plan", "hr=next.csv"], more].concat(),
                );
                (serde_json::from_str::<Value>(&ran.stdout).unwrap(), ran.status)
            };
            let ((plan, status), (whole, whole_status)) = (plan_of(&[]), plan_of(&["--recheck"]));
            let what = format!("seed {seed}, night {night}: {before:?} then {people:?}");
            assert_eq!(status, whole_status, "{what}");
            assert_eq!(decided(&plan), decided(&whole), "{what}");
            believed += usize::from(!plan["inputs"][0]["list"]["believed"]["since"].is_null());
            nights += 1;
            // What left something open would have everybody looked at for good.
            let is_open = ["held", "refused", "follows", "rejected"].iter().any(|count| plan["summary"][count] != 0);
            if is_open || status != 0 || people.len() < 12 {
                people = before;
                continue;
            }
            world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
        }
    }
    assert!(3 * believed > nights, "{believed} of {nights} nights were believed");
}
