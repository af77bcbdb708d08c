//! `recheck`: whom a list says nothing new of is not looked at again, until anything speaks against it.

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

fn renamed(number: usize, username: &str) -> Row {
    Row { username: username.to_owned(), ..Row::of(number) }
}

#[test]
fn yesterdays_list_asks_nobody_and_says_so() {
    let world = believer(20, "");
    let (plan, asked) = planned(&world, "hr=day1.csv", &[]);
    let input = json!({ "system": "hr", "file": "day1.csv", "sha256": plan["inputs"][0]["sha256"], "records": 20, "rejected": 0 });
    assert_eq!((&plan["inputs"], &plan["calls"], asked), (&json!([input]), &json!([]), 0));
    assert_eq!(
        plan["summary"],
        json!({ "people": 20, "changes": 0, "calls": 0, "unchanged": 20, "refused": 0, "held": 0, "follows": 0, "dropped": 0, "rejected": 0 })
    );
    let told = world.told(0, &["plan", "hr=day1.csv"]);
    let since = told.split("since ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    assert_eq!(
        told,
        format!(
            "note: day1.csv is the same as when run 1 took it over, and nothing is open: nobody was asked since {since} \
             (look at everybody with --recheck)\n"
        )
    );
    // And nothing is begun for it.
    let report = world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    assert_eq!((&report["run"], &report["outcomes"]), (&json!(1), &json!([])));
    assert_eq!(world.on(TODAY, 0, &["runs"]).as_array().map(Vec::len), Some(1));
    assert_eq!(world.asked("gitlab"), Vec::<String>::new());
}

#[test]
fn the_same_rows_in_another_order_ask_nobody_either() {
    let world = believer(20, "");
    let mut shuffled = rows(1..=20);
    shuffled.reverse();
    shuffled.swap(3, 11);
    world.write("next.csv", list(&shuffled).as_bytes());
    let (plan, asked) = planned(&world, "hr=next.csv", &[]);
    assert_eq!((&plan["calls"], asked), (&json!([]), 0));
    assert!(world.told(0, &["plan", "hr=next.csv"]).contains("holds the same rows, in another order, as when run 1"));
}

#[test]
fn of_a_list_with_something_new_only_those_are_asked_for_and_the_plan_does_the_same() {
    let world = believer(250, "");
    let mut tonight = rows(1..=251);
    tonight[6] = renamed(7, "user7b");
    world.write("next.csv", list(&tonight).as_bytes());
    let (believed, few) = planned(&world, "hr=next.csv", &[]);
    let (looked, many) = planned(&world, "hr=next.csv", &["--recheck"]);
    assert_eq!(believed["calls"], looked["calls"]);
    assert_eq!(believed["summary"], looked["summary"]);
    assert_eq!(calls(&believed).len(), 2, "a rename and a newcomer: {:?}", calls(&believed));
    assert_eq!(believed["inputs"][0]["list"]["believed"]["people"], 249);
    assert_eq!(looked["inputs"][0]["list"]["believed"]["people"], Value::Null);
    assert!(few < many, "{few} requests for two people, {many} for everybody");

    // What was not looked at this time is no younger for it.
    let since =
        |world: &World| world.on(TODAY, 0, &["plan", "hr=third.csv"])["inputs"][0]["list"]["believed"]["since"].clone();
    let before = believed["inputs"][0]["list"]["believed"]["since"].clone();
    world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
    tonight[8] = renamed(9, "user9b");
    world.write("third.csv", list(&tonight).as_bytes());
    assert_eq!(since(&world), before);
    assert_ne!(before, Value::Null);
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
    let (plan, asked) = planned(&world, "hr=day1.csv", &[]);
    assert_eq!(plan["inputs"][0]["list"]["believed"]["people"], Value::Null);
    assert_ne!(asked, 0);
}

#[test]
fn somebody_of_whom_one_list_says_nothing_new_and_another_something_is_one_person() {
    let world = stranger(20, BELIEVED, "");
    let second = format!(
        "{}\n[systems.desk]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\n",
        config(BELIEVED, "").split("\n[limits]").next().unwrap()
    );
    world.write("homeward.toml", second.as_bytes());
    let rules = format!(
        "{RULES}\nowner(\"position\", \"desk\");\nsource(\"desk\", |row| #{{ key: row.id, email: row.email, position: row.post }});\n"
    );
    world.write("rules/people.rhai", rules.as_bytes());
    world.write("desk.csv", b"id,email,post\n7,p7@example.com,Nurse\n");
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv", "desk=desk.csv"]);
    world.write("desk.csv", b"id,email,post\n7,p7@example.com,Head\n");
    let plan = world.on(TODAY, 0, &["plan", "hr=day1.csv", "desk=desk.csv"]);
    let looked = world.on(TODAY, 0, &["plan", "hr=day1.csv", "desk=desk.csv", "--recheck"]);
    assert_eq!(plan["inputs"][0]["list"]["believed"]["people"], 20);
    assert_eq!((&plan["summary"], &plan["calls"]), (&looked["summary"], &looked["calls"]));
}

#[test]
fn who_has_something_open_is_looked_at_again_and_nobody_else() {
    let world = believer(20, "protected = [\"gitlab:user3\"]");
    let mut next = rows(1..=20);
    next[2] = renamed(3, "user3b");
    world.write("next.csv", list(&next).as_bytes());
    world.on(TODAY, 4, &["apply", "--yes", "hr=next.csv"]);
    let (plan, asked) = planned(&world, "hr=next.csv", &[]);
    assert_eq!(plan["inputs"][0]["list"]["believed"]["people"], 19);
    assert_eq!((&plan["summary"]["people"], &plan["summary"]["held"]), (&json!(20), &json!(1)));
    assert_ne!(asked, 0);
}

#[test]
fn nothing_is_believed_any_more_once_anything_speaks_against_it() {
    let by_day = RULES.replace("person.active);", "person.active && today() < \"2099-01-01\");");
    let other = RULES.replace("+ \" \" +", "+ \"  \" +");
    type Change = fn(&World, &str);
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
        assert_eq!(plan["inputs"][0]["list"]["believed"]["people"], Value::Null, "{what}");
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

#[test]
fn somebody_who_leaves_or_is_rejected_is_noticed_as_ever() {
    let world = believer(20, "");
    let others = || rows((1..=20).filter(|number| *number != 7));
    world.write("next.csv", list(&others()).as_bytes());
    let (plan, _) = planned(&world, "hr=next.csv", &[]);
    let (looked, _) = planned(&world, "hr=next.csv", &["--recheck"]);
    assert_eq!(plan["inputs"][0]["list"]["missing"], json!(["000007"]));
    assert_eq!((&plan["calls"], calls(&plan).len()), (&looked["calls"], 1));

    let broken = list(&others()) + "000007,a,b\n000021,First21,Last21,p21@example.com,user21,,\n";
    world.write("next.csv", broken.as_bytes());
    world.on(TODAY, 4, &["apply", "--yes", "hr=next.csv"]);
    let (plan, _) = planned(&world, "hr=next.csv", &[]);
    assert_eq!(
        (&plan["summary"]["rejected"], &plan["inputs"][0]["list"]["believed"]["people"]),
        (&json!(1), &json!(20))
    );
}
