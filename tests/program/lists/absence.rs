//! Items 34, 35 and 40 to 44: who is not listed, who is back, what falls due, who is spared, and the first list of all.

use std::{
    fmt::Write as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    common::{World, journey::changes},
    company::{HEADER, RULES, Row, TODAY, company, config, gitlab, list, missing, rows, stranger},
};

#[test]
fn item_34_a_source_of_which_nothing_is_said_is_never_read_as_a_full_list() {
    let world = stranger(20, "", "");
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    let plan = world.planned(0, &rows([1]));
    assert_eq!((&plan["inputs"][0]["list"], changes(&plan)), (&Value::Null, Vec::<String>::new()));
    assert_eq!(plan["summary"]["people"], 1);
}

#[test]
fn item_34_what_a_source_is_stays_declared_whatever_its_file_looks_like() {
    let world = stranger(20, "coverage = \"partial\"", "");
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    // The same content, minus one: it looks just like a full list of the next day.
    assert_eq!(changes(&world.planned(0, &rows(1..=19))), Vec::<String>::new());
}

#[test]
fn item_35_the_same_people_in_other_clothes_are_no_difference() {
    let world = company(30, "");
    let mut shuffled = rows(1..=30);
    shuffled.reverse();
    shuffled.swap(3, 17);
    let mut text =
        "\u{FEFF}ends;Username;E\u{6d}ail;badge;LAST_NAME;begins;\u{a0}employee_id;first_name\r\n".to_owned();
    for row in &shuffled {
        let Row { id, first, last, email, username, .. } = row;
        write!(text, "\"\";\"{username}\";{email};red;\"{last}\"; ;\u{a0}{id} ;\"{first}\"\r\n").unwrap();
    }
    world.write("next.csv", text.as_bytes());
    let columns = "columns = { email = [], username = [], last_name = [], first_name = [], begins = [], ends = [] }";
    world.write("homeward.toml", config(&format!("coverage = \"full\"\n{columns}"), "").as_bytes());
    let plan = world.on(TODAY, 0, &["plan", "hr=next.csv"]);
    let found = &plan["inputs"][0];
    assert_eq!((&found["records"], &found["list"]["before"], missing(&plan)), (&json!(30), &json!(30), Vec::new()));
    assert_eq!((&found["list"]["differing"], &plan["calls"], &plan["seen"]), (&Value::Null, &json!([]), &json!([])));
    assert_eq!(plan["changes"], json!([]));
}

#[test]
fn item_35_a_list_is_compared_with_the_last_accepted_one_and_not_with_one_that_was_held_or_only_planned() {
    let world = company(30, "");
    world.planned(0, &rows((1..=30).filter(|number| *number != 3)));
    world.write("next.csv", list(&rows(1..=10)).as_bytes());
    world.on(TODAY, 6, &["apply", "--yes", "hr=next.csv"]);
    let plan = world.planned(0, &rows((1..=30).filter(|number| ![7, 9].contains(number))));
    assert_eq!(
        (&plan["inputs"][0]["list"]["before"], missing(&plan)),
        (&json!(30), vec!["000007".into(), "000009".into()])
    );
}

#[test]
fn item_40_gone_on_day_two_and_back_on_day_three_is_the_same_account_switched_on_again() {
    let world = company(30, "");
    let user = world.user("gitlab", "username", "user7");
    world.write("day2.csv", list(&rows((1..=30).filter(|number| *number != 7))).as_bytes());
    // HR says state, and whoever is not listed is not spoken of.
    let why = world.homeward(&["--lab", "--quiet", "explain", "hr/000007", "email", "hr=day2.csv"]).stdout;
    assert!(why.contains("does not speak of this person now") && !why.contains("tells changes"), "{why}");
    let shown = world.homeward(&["--lab", "--quiet", "plan", "hr=day2.csv"]).stdout;
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("not listed in day2.csv: no account is wanted"), "{shown}");
    let gone = world.on("2026-11-21", 0, &["apply", "--yes", "hr=day2.csv"]);
    assert_eq!(gone["outcomes"].as_array().unwrap().len(), 1);
    assert_eq!(world.blocked(), ["user7"]);
    let why = world.homeward(&["--lab", "--quiet", "explain", "hr/000007", "active"]).stdout;
    assert!(why.contains("said by hr (day2.csv (not listed))") && why.contains("active: false"), "{why}");

    let plan = world.on("2026-11-22", 0, &["plan", "hr=day1.csv"]);
    assert_eq!((&plan["inputs"][0]["list"]["activated"], &plan["inputs"][0]["list"]["new"]), (&json!(1), &Value::Null));
    assert_eq!(changes(&plan), ["hr/000007 active gitlab apply false → true"]);
    world.on("2026-11-22", 0, &["apply", "--yes", "hr=day1.csv"]);
    assert_eq!(world.blocked(), Vec::<String>::new());
    assert_eq!(world.user("gitlab", "username", "user7")["id"], user["id"]);
    assert_eq!(world.on("2026-11-22", 0, &["plan", "hr=day1.csv"])["calls"], json!([]));
}

#[test]
fn item_40_who_is_back_is_switched_on_where_records_say_nothing_of_it_however_late_that_succeeds() {
    let world = stranger(12, "coverage = \"full\"", "protected = [\"gitlab:user3\"]");
    let rules = RULES.lines().filter(|line| !line.trim_start().starts_with("active:")).collect::<Vec<_>>().join("\n");
    world.write("rules/people.rhai", rules.as_bytes());
    let open = world.read("homeward.toml").replace("protected = [\"gitlab:user3\"]", "");
    let closed = world.read("homeward.toml");
    world.write("day2.csv", list(&rows((1..=12).filter(|number| *number != 3))).as_bytes());
    world.write("homeward.toml", open.as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    world.on(TODAY, 0, &["apply", "--yes", "hr=day2.csv"]);
    assert_eq!(world.blocked(), ["user3"]);
    // She is back, and something stands in the way on that day.
    world.write("homeward.toml", closed.as_bytes());
    world.on(TODAY, 4, &["apply", "--yes", "hr=day1.csv"]);
    assert_eq!(world.blocked(), ["user3"]);
    world.write("homeward.toml", open.as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    assert_eq!(world.blocked(), Vec::<String>::new());
    assert_eq!(world.on(TODAY, 0, &["plan", "hr=day1.csv"])["seen"], json!([]));
}

#[test]
fn item_40_who_stays_away_is_switched_off_once_and_never_deleted() {
    let world = company(30, "");
    world.write("day2.csv", list(&rows(2..=30)).as_bytes());
    for day in ["2026-11-21", "2026-11-22", "2027-11-22"] {
        world.on(day, 0, &["apply", "--yes", "hr=day2.csv"]);
        assert_eq!(world.blocked(), ["user1"]);
    }
    let ways: Vec<Value> = world.writes("gitlab").iter().map(|one| one[0].clone()).collect();
    assert_eq!(ways, ["POST"], "blocked once, and nothing was deleted");
}

#[test]
fn item_41_a_date_in_the_future_acts_on_its_day_and_not_on_arrival() {
    let world = company(10, "");
    let mut next = rows(1..=10);
    next[3].ends = "2026-11-25".to_owned();
    let mut newcomer = Row::of(77);
    newcomer.begins = "2026-11-24".to_owned();
    next.push(newcomer);
    world.write("next.csv", list(&next).as_bytes());
    assert_eq!(changes(&world.on("2026-11-23", 0, &["plan", "hr=next.csv"])), Vec::<String>::new());
    world.on("2026-11-23", 0, &["apply", "--yes", "hr=next.csv"]);
    let on_the_day = world.on("2026-11-24", 0, &["plan", "hr=next.csv"]);
    assert_eq!(on_the_day["calls"][0]["operation"], "create");
    assert_eq!(on_the_day["summary"]["calls"], 1);
    world.on("2026-11-24", 0, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!(
        changes(&world.on("2026-11-25", 0, &["plan", "hr=next.csv"])),
        ["hr/000004 active gitlab apply true → false"]
    );
}

/// A drop folder whose files are complete soon.
const DROP: &str = "coverage = \"full\"\nfolder = \"drop\"\npattern = \"*.csv\"\nlook_every = \"1h\"\n\
                    quiet = { looks = 1, time = \"10ms\" }";

/// A company whose list came by a drop folder, and was approved on this day.
fn dropped(rows: &[Row], rules: &str, today: Option<&str>) -> World {
    let mut world = World::new()
        .file("homeward.toml", &config(DROP, ""))
        .file("rules/people.rhai", rules)
        .file("lab/gitlab.json", &gitlab(rows))
        .file("drop/people.csv", &list(rows));
    world.start_lab(&[]);
    watched(&world, today);
    let waiting = world.json(4, &["status"])["waiting"].clone();
    assert_eq!(waiting[0]["standing"], "waiting", "{waiting}");
    let mut approve = vec!["approve", "1", "--yes"];
    approve.extend(today.iter().flat_map(|today| ["--today", *today]));
    world.json(0, &approve);
    watched(&world, today);
    assert_eq!(world.json(0, &["runs"])["runs"][0]["standing"], "done");
    world
}

/// The service, until there is nothing left to do.
fn watched(world: &World, today: Option<&str>) {
    let mut arguments = vec!["--lab", "watch", "--once", "--apply"];
    arguments.extend(today.iter().flat_map(|today| ["--today", *today]));
    let ran = world.homeward(&arguments);
    // 4: something waits for somebody.
    assert!([0, 4].contains(&ran.status), "{}", ran.stderr);
}

#[test]
fn item_41_a_day_that_began_while_nobody_watched_is_noticed_after_the_start() {
    let mut people = rows(1..=10);
    people[3].ends = "2026-11-25".to_owned();
    let world = dropped(&people, RULES, Some("2026-11-20"));
    watched(&world, Some("2026-11-24"));
    assert_eq!(world.blocked(), Vec::<String>::new());
    watched(&world, Some("2026-11-25"));
    assert_eq!(world.blocked(), ["user4"]);
    let runs = world.json(0, &["runs"])["runs"].clone();
    assert_eq!(
        (&runs[0]["input"], &runs[0]["standing"], &runs[0]["calls"]),
        (&json!("people.csv (again, on 2026-11-25)"), &json!("done"), &json!(1))
    );
    watched(&world, Some("2026-11-25"));
    assert_eq!(world.json(0, &["runs"])["runs"], runs, "once a day is enough");
}

#[test]
fn item_41_what_falls_due_is_held_by_limits_too_and_once_rejected_does_not_come_back_the_same_day() {
    let mut people = rows(1..=20);
    people.iter_mut().take(9).for_each(|row| row.ends = "2026-11-25".to_owned());
    let world = dropped(&people, RULES, Some("2026-11-20"));
    watched(&world, Some("2026-11-25"));
    let held = world.json(4, &["status"])["waiting"][0].clone();
    assert_eq!(held["standing"], "held");
    assert_eq!(world.blocked(), Vec::<String>::new());
    world.homeward(&["--lab", "reject", &held["run"].to_string()]);
    watched(&world, Some("2026-11-25"));
    assert_eq!(world.json(0, &["status"])["waiting"], json!([]));
    watched(&world, Some("2026-11-26"));
    assert_eq!(world.json(4, &["status"])["waiting"][0]["standing"], "held", "and on the next day it is asked again");
}

#[test]
fn item_39_later_lists_do_not_slip_past_one_that_is_held() {
    let world = dropped(&rows(1..=20), RULES, Some(TODAY));
    world.write("drop/tuesday.csv", list(&rows(1..=9)).as_bytes());
    watched(&world, Some(TODAY));
    let held = world.json(4, &["status"])["waiting"][0].clone();
    assert_eq!((&held["standing"], &held["input"]), (&json!("held"), &json!("tuesday.csv")));
    let told = held["told"].as_str().unwrap();
    assert!(told.contains("11 of 20 people that the last list of hr held are not in this one"), "{told}");

    let mut renamed = rows(1..=20);
    renamed[0].username = "renamed".to_owned();
    world.write("drop/wednesday.csv", list(&renamed).as_bytes());
    let before = world.state("gitlab");
    watched(&world, Some(TODAY));
    assert_eq!(world.state("gitlab"), before);
    assert!(world.path("drop/wednesday.csv").exists(), "it waits for its turn");
    world.homeward(&["--lab", "reject", &held["run"].to_string()]);
    watched(&world, Some(TODAY));
    assert_eq!(world.user("gitlab", "id", "100")["username"], "renamed");
    assert_eq!((world.blocked(), world.json(0, &["status"])["waiting"].clone()), (Vec::new(), json!([])));
}

/// A service that runs until the test is over.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn item_41_a_due_action_is_taken_on_its_day_by_a_service_to_which_no_file_comes() {
    // Works here until the end of the day it is now.
    let rules = RULES.replace("row.ends > today()", "row.ends >= today()");
    let today = Command::new("date").arg("+%F").env("TZ", "UTC").output().unwrap();
    let mut people = rows(1..=10);
    people[3].ends = String::from_utf8(today.stdout).unwrap().trim().to_owned();
    let world = dropped(&people, &rules, None);
    assert_eq!(world.blocked(), Vec::<String>::new());
    // A day passes in less than five seconds.
    let arguments = ["--lab", "watch", "--apply", "--no-events", "--pace", "20000"];
    let child = world.command().args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _running = Running(child);
    let begun = Instant::now();
    while world.blocked() != ["user4"] {
        assert!(begun.elapsed() < Duration::from_secs(40), "{:#}", world.json(0, &["runs"])["runs"]);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn item_41_rows_that_were_repaired_do_not_take_the_place_of_the_list_they_belong_to() {
    let mut people = rows(1..=10);
    people[3].ends = "2026-11-25".to_owned();
    let world = dropped(&people, RULES, Some("2026-11-20"));
    world.write(
        "drop/people--rejects.csv",
        format!("homeward_line,homeward_code,homeward_reason,{HEADER}\n11,x,y,000010,First10,Renamed,p10@example.com,user10,,\n").as_bytes(),
    );
    watched(&world, Some("2026-11-20"));
    watched(&world, Some("2026-11-25"));
    assert_eq!(world.blocked(), ["user4"]);
    // The next list is still compared with the whole one.
    world.write("next.csv", list(&rows((1..=10).filter(|number| *number != 2))).as_bytes());
    let plan = world.on("2026-11-25", 0, &["plan", "hr=next.csv"]);
    assert_eq!((&plan["inputs"][0]["list"]["before"], missing(&plan)), (&json!(9), vec!["000002".to_owned()]));
}

#[test]
fn item_42_an_administrator_whose_row_disappears_is_held_and_everybody_else_goes() {
    let world = stranger(30, "coverage = \"full\"", "");
    let admin = world.user("gitlab", "username", "user7")["id"].clone();
    world.lab("gitlab", "POST", &format!("meddle/{}", admin.as_str().unwrap()), &json!({ "admin": true }));
    world.on(TODAY, 0, &["apply", "--yes", "hr=day1.csv"]);
    let gone = |number: &usize| ![7, 8].contains(number);
    let plan = world.planned(0, &rows((1..=30).filter(gone)));
    assert_eq!(
        changes(&plan),
        ["hr/000007 active gitlab hold true → false", "hr/000008 active gitlab apply true → false"]
    );
    let change = plan["changes"].as_array().unwrap().iter().find(|change| change["person"] == "hr/000007").unwrap();
    assert_eq!(
        change["reason"],
        "an administrator of gitlab is not switched off by a source: look first (`limits.administrators`)"
    );
    world.on(TODAY, 4, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!(world.blocked(), ["user8"]);
}

#[test]
fn item_42_a_protected_account_whose_row_disappears_is_held() {
    let world = company(30, "protected = [\"gitlab:user7\"]");
    let plan = world.planned(0, &rows((1..=30).filter(|number| *number != 7)));
    assert_eq!(changes(&plan), ["hr/000007 active gitlab hold true → false"]);
    assert_eq!(plan["changes"][0]["reason"], "the account is protected by `limits.protected`");
    world.on(TODAY, 4, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!(world.blocked(), Vec::<String>::new());
}

#[test]
fn item_43_a_first_list_adopts_the_accounts_that_are_there_and_makes_and_removes_nothing() {
    let world = stranger(500, "coverage = \"full\"", "");
    world.write("first.csv", list(&rows(1..=480)).as_bytes());
    let plan = world.on(TODAY, 0, &["plan", "hr=first.csv"]);
    assert_eq!(
        (&plan["summary"]["people"], &plan["summary"]["calls"], changes(&plan)),
        (&json!(480), &json!(0), Vec::new())
    );
    let ties = plan["links"].as_array().unwrap().iter().filter(|link| link["system"] == "gitlab").count();
    assert_eq!((ties, &plan["inputs"][0]["list"]["before"], missing(&plan)), (480, &json!(0), Vec::new()));
    let told = world.told(0, &["plan", "hr=first.csv"]);
    let says = "note: 480 accounts that are there belong to people at gitlab, by `email` (rules/people.rhai:13:1)";
    assert!(told.contains(says), "{told}");
}

#[test]
fn item_43_a_first_list_from_a_folder_waits_for_somebody_with_the_line_that_finds_the_accounts() {
    let people = rows(1..=5);
    let mut world = World::new()
        .file("homeward.toml", &config(DROP, ""))
        .file("rules/people.rhai", RULES)
        .file("lab/gitlab.json", &gitlab(&people[..4]))
        .file("drop/people.csv", &list(&people));
    world.start_lab(&[]);
    let before = world.state("gitlab");
    watched(&world, Some(TODAY));
    let status = world.json(4, &["status"]);
    assert_eq!(
        (&status["waiting"][0]["standing"], &status["waiting"][0]["told"]),
        (
            &json!("waiting"),
            &json!(
                "the first list of hr: 4 accounts that are there belong to people at gitlab, by `email` \
                 (rules/people.rhai:13:1); 1 call; look at it once"
            )
        )
    );
    assert_eq!(world.state("gitlab"), before);
}

#[test]
fn item_44_a_dry_run_is_byte_for_byte_what_is_carried_out() {
    let world = company(30, "");
    let mut next = rows((1..=31).filter(|number| *number != 9));
    next[2].username = "renamed".to_owned();
    next[4].email = "moved@example.com".to_owned();
    world.write("next.csv", list(&next).as_bytes());
    let arguments = ["--lab", "--today", TODAY, "--format", "json", "plan", "hr=next.csv"];
    let dry = world.homeward(&arguments).stdout;
    assert_eq!(world.homeward(&arguments).stdout, dry, "and the same twice");
    let report = world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
    let run = world.json(0, &["runs", &report["run"].to_string()]);
    let planned: Value = serde_json::from_str(&dry).unwrap();
    // Its id is the digest of the bytes.
    assert_eq!(run["plan"], planned);
    let call = |one: &Value| json!([one["method"], one["path"], one["body"]]);
    let mut sent: Vec<Value> = world.writes("gitlab").iter().map(|one| json!([one[0], one[1], one[2]])).collect();
    let mut calls: Vec<Value> = planned["calls"].as_array().unwrap().iter().map(call).collect();
    // A password is made when the call is sent, and nobody keeps it.
    for one in sent.iter_mut().chain(&mut calls) {
        if let Some(body) = one[2].as_object_mut() {
            body.remove("password");
        }
    }
    sent.sort_by_key(ToString::to_string);
    calls.sort_by_key(ToString::to_string);
    assert_eq!(sent, calls);
}

#[test]
fn who_was_switched_on_again_by_an_undo_is_missing_again_from_the_next_list() {
    let world = company(30, "");
    world.write("next.csv", list(&rows((1..=30).filter(|number| *number != 7))).as_bytes());
    world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!(world.blocked(), ["user7"]);
    world.on(TODAY, 0, &["undo", "--yes", "2"]);
    assert_eq!(world.blocked(), Vec::<String>::new());
    let plan = world.on(TODAY, 0, &["plan", "hr=next.csv"]);
    assert_eq!((missing(&plan), changes(&plan).len()), (vec!["000007".to_owned()], 1), "{plan}");
    world.on(TODAY, 0, &["apply", "--yes", "hr=next.csv"]);
    assert_eq!(world.blocked(), ["user7"]);
}
