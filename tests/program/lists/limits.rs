//! Items 36 to 39: how much may be missing, new or different, and what happens to a list with more.

use serde_json::{Value, json};

use super::{
    common::World,
    company::{Row, TODAY, company, list, missing, rows},
};

/// The same people without the first so many.
fn without(people: usize, missing: usize) -> Vec<Row> {
    // From the middle, so that nothing looks like a file that ends early.
    rows((1..=people).filter(|number| *number < 20 || *number >= 20 + missing))
}

#[test]
fn item_36_of_a_hundred_people_four_or_five_may_be_missing_and_six_or_sixty_hold_the_list() {
    let world = company(100, "");
    let four = world.planned(0, &without(100, 4));
    assert_eq!(missing(&four), ["000020", "000021", "000022", "000023"]);
    assert_eq!(four["summary"]["calls"], 4);
    world.planned(0, &without(100, 5));
    for gone in [6, 60] {
        let held = world.planned(6, &without(100, gone));
        assert_eq!(missing(&held).len(), gone);
        let told = world.told(6, &["plan", "hr=next.csv"]);
        let says = format!(
            "{gone} of 100 people that the last list of hr held are not in this one; `limits.missing` allows 5"
        );
        assert!(told.contains(&says), "{told}");
        assert!(told.contains("among them hr/000020, hr/000021, hr/000022"), "{told}");
    }
}

#[test]
fn item_36_a_share_that_is_configured_is_the_limit() {
    let world = company(100, "missing = { share = \"10%\", at_least = 1 }\nremovals = { share = \"50%\" }");
    world.planned(0, &without(100, 10));
    world.planned(6, &without(100, 11));
}

#[test]
fn item_36_nothing_of_a_held_list_is_done_neither_what_it_takes_away_nor_what_it_brings() {
    let world = company(100, "");
    let mut next = without(100, 30);
    next[0].username = "renamed".to_owned();
    next.push(Row::of(500));
    world.write("next.csv", list(&next).as_bytes());
    let before = world.state("gitlab");
    world.on(TODAY, 6, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!(world.state("gitlab"), before);
    assert_eq!(missing(&world.planned(0, &without(100, 1))), ["000020"], "the last accepted list is still the first");
}

#[test]
fn item_37_a_shifted_column_holds_the_list_and_names_each_attribute() {
    let world = company(60, "");
    let mut shifted = rows(1..=60);
    for row in &mut shifted {
        (row.first, row.last) = (row.last.clone(), row.first.clone());
    }
    let held = world.planned(6, &shifted);
    let differing = json!({ "display_name": 60, "first_name": 60, "last_name": 60 });
    assert_eq!(held["inputs"][0]["list"]["differing"], differing);
    let told = world.told(6, &["plan", "hr=next.csv"]);
    for attribute in ["display_name", "first_name", "last_name"] {
        let says =
            format!("`{attribute}` of 60 of 60 people differs from the last list of hr; `limits.differing` allows 20");
        assert!(told.contains(&says), "{told}");
    }
}

#[test]
fn item_37_an_emptied_column_holds_the_list() {
    let world = company(60, "");
    let mut emptied = rows(1..=60);
    for row in &mut emptied {
        row.email.clear();
    }
    let held = world.planned(6, &emptied);
    assert_eq!(held["inputs"][0]["list"]["differing"], json!({ "email": 60 }));
    assert_eq!(missing(&held), Vec::<String>::new());
}

#[test]
fn item_37_another_domain_for_everybody_holds_the_list_and_for_a_few_does_not() {
    let world = company(60, "");
    let moved = |people: usize| {
        let mut all = rows(1..=60);
        all.iter_mut().take(people).for_each(|row| row.email = row.email.replace("example.com", "example.net"));
        all
    };
    assert_eq!(world.planned(0, &moved(20))["summary"]["changes"], 20);
    let held = world.planned(6, &moved(21));
    assert_eq!(held["inputs"][0]["list"]["differing"], json!({ "email": 21 }));
}

#[test]
fn item_37_more_new_accounts_than_the_limit_hold_the_list() {
    let world = company(40, "creations = { share = \"5%\", at_least = 3 }");
    let newcomers = |count: usize| rows((1..=40).chain(900..900 + count));
    assert_eq!(world.planned(0, &newcomers(3))["summary"]["calls"], 3);
    world.planned(6, &newcomers(4));
    let told = world.told(6, &["plan", "hr=next.csv"]);
    assert!(told.contains("4 accounts would be made at gitlab for 44 people; `limits.creations` allows 3"), "{told}");
}

#[test]
fn item_37_each_attribute_can_have_a_limit_of_its_own() {
    let world = company(40, "attributes = { username = { share = \"1%\", at_least = 2 } }");
    let renamed = |people: usize| {
        let mut all = rows(1..=40);
        all.iter_mut().take(people).for_each(|row| row.username.push('x'));
        all
    };
    assert_eq!(world.planned(0, &renamed(2))["summary"]["changes"], 2);
    world.planned(6, &renamed(3));
    let told = world.told(6, &["plan", "hr=next.csv"]);
    let says = "`username` of 3 of 40 people would change at gitlab; `limits.attributes` allows 2";
    assert!(told.contains(says), "{told}");
}

#[test]
fn item_37_a_limit_for_an_attribute_nobody_knows_is_an_error_that_names_the_near_one() {
    let limits = "attributes = { emial = { share = \"1%\" } }";
    let world = World::new()
        .file("homeward.toml", &super::company::config("", limits))
        .file("rules/people.rhai", super::company::RULES)
        .file("day1.csv", &list(&rows(1..=1)));
    let told = world.told(2, &["plan", "hr=day1.csv"]);
    assert!(told.contains("unknown attribute `emial` in [limits.attributes]; did you mean `email`?"), "{told}");
    assert!(told.contains("─────"), "the place is shown: {told}");
    let found: Value = serde_json::from_str(&world.homeward(&["check", "--format", "json"]).stdout).unwrap();
    assert_eq!((&found["errors"], &found["findings"][0]["code"]), (&json!(1), &json!("configuration")), "{found}");

    let known = "attributes = { \"gitlab.note\" = { share = \"1%\" } }";
    world.write("homeward.toml", super::company::config("", known).as_bytes());
    assert_eq!(world.homeward(&["check"]).status, 0);
}

#[test]
fn item_38_of_ten_people_one_or_five_may_leave_and_six_may_not() {
    let world = company(10, "");
    for gone in [1, 5] {
        let plan = world.planned(0, &rows((1..=10).filter(|number| *number == 10 || *number > gone)));
        assert_eq!(missing(&plan).len(), gone);
    }
    world.planned(6, &rows((1..=10).filter(|number| *number > 6)));
}

#[test]
fn item_38_a_floor_does_not_let_most_of_the_people_pass_where_none_is_wanted() {
    let world = company(40, "missing = { share = \"5%\", at_least = 0 }");
    assert_eq!(missing(&world.planned(0, &without(40, 2))).len(), 2);
    world.planned(6, &without(40, 3));
}

#[test]
fn item_39_a_hold_shows_everywhere_and_is_settled_for_its_own_plan_only() {
    let world = company(40, "");
    world.write("next.csv", list(&without(40, 8)).as_bytes());
    let held = world.on(TODAY, 6, &["apply", "--yes", "hr=next.csv"]);
    let run = held["run"].as_i64().unwrap();
    let plan = held["plan"].clone();
    assert_eq!(
        held["held"],
        "8 of 40 people would lose gitlab; `limits.removals` allows 5; 8 of 40 people that the last list of hr held are \
         not in this one; `limits.missing` allows 5"
    );
    let runs = world.json(0, &["runs"])["runs"].clone();
    assert_eq!((&runs[0]["standing"], &runs[0]["plan"], &runs[0]["told"]), (&json!("held"), &plan, &held["held"]));
    let waiting = world.json(4, &["status"]);
    assert_eq!((&waiting["waiting"][0]["run"], &waiting["waiting"][0]["plan"]), (&json!(run), &plan));

    // The file changes after somebody looked: that plan is another one, and held for itself.
    world.write("next.csv", list(&without(40, 9)).as_bytes());
    let other = world.on(TODAY, 6, &["apply", "--yes", "hr=next.csv"]);
    assert_ne!(other["plan"], plan);
    assert_eq!(world.blocked(), Vec::<String>::new());

    let superseded = world.told(2, &["approve", &run.to_string(), "--yes"]);
    assert!(superseded.contains(&format!("run {run} waits for nobody: it is superseded")), "{superseded}");

    // And again, after it is held: what is carried out is what was held, whatever the file says by then.
    world.write("next.csv", list(&rows(1..=40)).as_bytes());
    let number = other["run"].to_string();
    let approved = world.on(TODAY, 0, &["approve", &number, "--yes", "--by", "Ada"]);
    assert_eq!((&approved["plan"], approved["outcomes"].as_array().unwrap().len()), (&other["plan"], 9));
    assert_eq!(world.blocked().len(), 9);
    let again = world.told(2, &["approve", &number, "--yes"]);
    assert!(again.contains(&format!("run {number} waits for nobody: it is done")), "{again}");
    world.told(2, &["reject", &number]);
    assert_eq!(world.blocked().len(), 9);
}

#[test]
fn item_39_the_lists_of_two_sources_in_one_plan_are_told_apart() {
    let world = company(40, "");
    let config = world.read("homeward.toml").replace(
        "[systems.gitlab]",
        "[systems.guests]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\ncoverage = \"full\"\n\n[systems.gitlab]",
    );
    world.write("homeward.toml", config.as_bytes());
    let rules = format!("{}source(\"guests\", |row| #{{ key: row.id, nickname: row.name }});\n", super::company::RULES);
    world.write("rules/people.rhai", rules.as_bytes());
    let guests =
        |count: usize| (1..=count).fold("id,name\n".to_owned(), |text, at| format!("{text}g{at},Guest {at}\n"));
    world.write("guests.csv", guests(30).as_bytes());
    world.homeward(&["--lab", "--today", TODAY, "apply", "--yes", "guests=guests.csv"]);

    world.write("guests.csv", guests(10).as_bytes());
    world.write("next.csv", list(&without(40, 2)).as_bytes());
    let plan = world.on(TODAY, 6, &["plan", "hr=next.csv", "guests=guests.csv"]);
    let of = |at: usize| {
        let list = &plan["inputs"][at]["list"];
        (
            plan["inputs"][at]["system"].as_str().unwrap(),
            list["before"].as_u64(),
            list["missing"].as_array().unwrap().len(),
        )
    };
    assert_eq!([of(0), of(1)], [("hr", Some(40), 2), ("guests", Some(30), 20)]);
    let told = world.told(6, &["plan", "hr=next.csv", "guests=guests.csv"]);
    assert!(told.contains("20 of 30 people that the last list of guests held are not in this one"), "{told}");
    assert!(!told.contains("list of hr held"), "{told}");
    let text = world.homeward(&["--lab", "--today", TODAY, "plan", "hr=next.csv", "guests=guests.csv"]).stdout;
    assert!(text.contains("\nhr: 0 new, 2 missing of 40\nguests: 0 new, 20 missing of 30\nPlan: "), "{text}");
}

#[test]
fn a_saved_plan_of_a_list_that_is_the_last_no_longer_is_not_carried_out() {
    let world = company(20, "");
    let named = |number: usize, name: &str| Row { username: name.to_owned(), ..Row::of(number) };
    let mut older = rows(1..=20);
    older[6] = named(7, "user7b");
    world.write("older.csv", list(&older).as_bytes());
    world.on(TODAY, 0, &["plan", "hr=older.csv", "--out", "older.json"]);
    let mut newer = rows(1..=20);
    newer[2] = named(3, "user3b");
    world.write("newer.csv", list(&newer).as_bytes());
    world.on(TODAY, 0, &["plan", "hr=newer.csv", "--out", "newer.json"]);
    world.on(TODAY, 0, &["apply", "--yes", "newer.json"]);
    let before = world.users("gitlab");
    let told = world.told(2, &["apply", "--yes", "older.json"]);
    assert!(told.contains("this plan was overtaken by run 2: newer.csv says what holds now of hr"), "{told}");
    assert_eq!(world.users("gitlab"), before);
    // Not even where the list that it was compared with is taken over once more. Its own list may come again.
    world.on(TODAY, 0, &["plan", "hr=older.csv", "--out", "older.json"]);
    world.on(TODAY, 0, &["apply", "--yes", "hr=newer.csv"]);
    let told = world.told(2, &["apply", "--yes", "older.json"]);
    assert!(told.contains("this plan was overtaken by run 3: newer.csv says what holds now of hr"), "{told}");
    world.on(TODAY, 0, &["plan", "hr=older.csv", "--out", "older.json"]);
    world.on(TODAY, 0, &["apply", "--yes", "older.json"]);
    assert_eq!(world.on(TODAY, 0, &["apply", "--yes", "older.json"])["found_done"], 2);
    // But not where another one came between.
    world.on(TODAY, 0, &["apply", "--yes", "hr=newer.csv"]);
    world.on(TODAY, 0, &["plan", "hr=older.csv", "--out", "older.json"]);
    let mut between = newer.clone();
    between[3] = named(4, "user4b");
    world.write("between.csv", list(&between).as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=between.csv"]);
    world.on(TODAY, 0, &["apply", "--yes", "hr=newer.csv"]);
    let before = world.users("gitlab");
    let told = world.told(2, &["apply", "--yes", "older.json"]);
    assert!(told.contains("newer.csv says what holds now of hr"), "{told}");
    assert_eq!(world.users("gitlab"), before);
}
