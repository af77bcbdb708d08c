//! `recheck`: a list that says what the last one said asks nobody, until anything speaks against it.

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
    assert_eq!(world.on(TODAY, 0, &["runs"]).as_array().map(Vec::len), Some(1));
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

#[test]
fn anybody_who_is_new_or_gone_or_changed_has_everybody_looked_at() {
    let world = believer(20, "");
    let mut renamed_one = rows(1..=20);
    renamed_one[6] = renamed(7, "user7b");
    let gone = rows((1..=20).filter(|number| *number != 7));
    for (rows, calls_made) in [(rows(1..=21), 1), (gone, 1), (renamed_one, 1)] {
        world.write("next.csv", list(&rows).as_bytes());
        let (plan, asked) = planned(&world, "hr=next.csv", &[]);
        assert_eq!((calls(&plan).len(), &plan["inputs"][0]["same_as"]), (calls_made, &Value::Null), "{plan}");
        assert_ne!(asked, 0);
    }
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
    world.on(TODAY, 0, &["apply", "--yes", "desk=desk.csv"]);
    // A first sight asks for nothing, and ends nothing.
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
fn nothing_is_believed_any_more_once_anything_speaks_against_it() {
    let by_day = RULES.replace("person.active);", "person.active && today() < \"2099-01-01\");");
    let other = RULES.replace("+ \" \" +", "+ \"  \" +");
    let cases: [(&str, Change); 4] = [
        ("other rules", |world, other| world.write("rules/people.rhai", other.as_bytes())),
        ("other settings", |world, _| {
            world.write("homeward.toml", config(BELIEVED, "removals = { share = \"9%\" }").as_bytes());
        }),
        ("a time that is over", |world, _| {
            world.write("homeward.toml", config("coverage = \"full\"\nrecheck = \"1ms\"", "").as_bytes());
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
