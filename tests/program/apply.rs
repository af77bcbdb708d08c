//! Plans carried out: in the right order, on what they were made for, with nothing claimed that was not seen.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::format_push_string, reason = "a few rows of a small file are put together")]

use std::collections::BTreeMap;

use crate::common::{
    World, in_one_line,
    journey::{calls, change, changes, outcomes},
};
use serde_json::{Value, json};

const ALL: [&str; 3] = ["gitlab", "mattermost", "zitadel"];

/// A lab with these seeds, and two sources: `hr` says what is, and so does `web`.
fn project(seeds: &[(&str, Value)], rules: &str) -> World {
    let mut settings = String::new();
    for source in ["hr", "web"] {
        settings +=
            &format!("[systems.{source}]\nkind = \"csv\"\nkey = \"id\"\nsays = \"state\"\ncoverage = \"partial\"\n");
    }
    for (system, _) in seeds {
        settings += &format!("[systems.{system}]\nkind = \"{system}\"\nurl = \"https://{system}.example.com\"\n");
        settings += "token = { env = \"TOKEN\" }\n";
    }
    let world = World::new().file("homeward.toml", &settings).file("rules/rules.rhai", rules);
    for (system, seed) in seeds {
        world.write(&format!("lab/{system}.json"), seed.to_string().as_bytes());
    }
    started(world)
}

fn started(mut world: World) -> World {
    world.start_lab(&[]);
    world
}

/// A user as each system's seed has her, with what they all know of a person.
fn seeded(system: &str, username: &str, email: &str) -> Value {
    match system {
        "gitlab" => json!({ "username": username, "name": "Ann Other", "email": email }),
        "mattermost" => json!({ "username": username, "email": email }),
        _ => json!({ "username": username, "first_name": "Ann", "last_name": "Other", "email": email }),
    }
}

/// One of these people at each system, in order: `p0@example.com`, `p1@example.com` and so on.
fn with_people(usernames: &[&str]) -> Vec<(&'static str, Value)> {
    let seed = |system: &'static str| {
        let users = usernames.iter().enumerate().map(|(at, name)| seeded(system, name, &format!("p{at}@example.com")));
        (system, json!({ "users": users.collect::<Vec<_>>() }))
    };
    ALL.map(seed).to_vec()
}

mod saved {
    use super::*;

    /// Two attributes of each system: as rules name them and as the simulator stores them.
    const FIELDS: [(&str, [(&str, &str); 2]); 3] = [
        ("gitlab", [("display_name", "name"), ("gitlab.location", "location")]),
        ("mattermost", [("nickname", "nickname"), ("position", "position")]),
        ("zitadel", [("nickname", "nickname"), ("display_name", "display_name")]),
    ];

    /// Ten people with a first change each, the last five with a second one, and the plan of it saved.
    fn ten(system: &str, [first, second]: [(&str, &str); 2]) -> World {
        let rules = format!(
            "owner([\"{0}\", \"{1}\"], \"hr\");\ncopies(\"{0}\", \"{system}\");\ncopies(\"{1}\", \"{system}\");\n\
             source(\"hr\", |row| #{{ key: row.id, email: row.email, \"{0}\": row.first, \"{1}\": row.second }});\n\
             join(\"{system}\", \"email\");\n",
            first.0, second.0
        );
        let mut users = Vec::new();
        let mut rows = "id,email,first,second\n".to_owned();
        for at in 0..10 {
            let email = format!("p{at}@example.com");
            let mut user = seeded(system, &format!("p{at}"), &email);
            user[first.1] = "Old First".into();
            user[second.1] = "Old Second".into();
            users.push(user);
            let second = if at < 5 { "Old Second" } else { "New Second" };
            rows += &format!("{at},{email},New First,{second}\n");
        }
        let world = project(&[(system, json!({ "users": users }))], &rules).file("people.csv", &rows);
        let plan = world.json(0, &["plan", "--out", "plan.json", "hr=people.csv"]);
        assert_eq!(plan["summary"]["calls"], 10, "{plan:#}");
        assert_eq!(serde_json::from_str::<Value>(&world.read("plan.json")).unwrap(), plan);
        world.forget(&[system]);
        world
    }

    #[test]
    fn exactly_the_calls_whose_fields_moved_are_left_out_and_each_says_what_moved() {
        for (system, [first, second]) in FIELDS {
            let world = ten(system, [first, second]);
            let meddle = |user: &str, fields: Value| world.lab(system, "POST", &format!("meddle/{user}"), &fields);
            meddle("p1", json!({ first.1: "Theirs" }));
            meddle("p6", json!({ second.1: "Theirs" }));
            meddle("p8", json!({ first.1: "Theirs", second.1: "Theirs" }));
            // Nothing of the plan depends on these two.
            meddle("p3", json!({ second.1: "Theirs" }));
            meddle("p4", json!({ "username": "p4.new" }));

            let report = world.json(7, &["apply", "--yes", "plan.json"]);
            let mut both = [first.0, second.0];
            both.sort_unstable();
            let expected: Vec<Value> = (0..10)
                .map(|at| match at {
                    1 => json!({ "moved": [first.0] }),
                    6 => json!({ "moved": [second.0] }),
                    8 => json!({ "moved": both }),
                    _ => json!("done"),
                })
                .collect();
            assert_eq!(outcomes(&report), expected, "{system}");
            assert_eq!(world.writes(system).len(), 7, "{system}");
            for at in 0..10 {
                let user = world.user(system, "email", &format!("p{at}@example.com"));
                let stored = [&user[first.1], &user[second.1]];
                let expected = match at {
                    1 => ["Theirs", "Old Second"],
                    3 => ["New First", "Theirs"],
                    6 => ["Old First", "Theirs"],
                    8 => ["Theirs", "Theirs"],
                    at if at < 5 => ["New First", "Old Second"],
                    _ => ["New First", "New Second"],
                };
                assert_eq!(stored, expected, "{system} p{at}");
            }
        }
    }

    #[test]
    fn what_moved_is_told_on_the_terminal_too_and_planned_anew_the_next_time() {
        let (system, fields) = FIELDS[1];
        let world = ten(system, fields);
        world.lab(system, "POST", "meddle/p1", &json!({ "nickname": "Theirs" }));
        let ran = world.homeward(&["--lab", "apply", "--yes", "plan.json"]);
        let id = world.user(system, "username", "p1")["id"].as_str().unwrap().to_owned();
        let line =
            format!("moved c2 mattermost account {id} of hr/1: not sent, for it is no longer as planned: nickname");
        assert_eq!((ran.status, ran.stdout.lines().any(|it| it == line)), (7, true), "{}", ran.stdout);
        assert!(
            ran.stdout.ends_with("Partly done: 9 of 10 calls (run 1). Plan again to see what is there now.\n"),
            "{}",
            ran.stdout
        );
        let again = world.json(0, &["plan", "hr=people.csv"]);
        assert_eq!(changes(&again), ["hr/1 nickname mattermost apply Theirs → New First"]);
    }

    /// A website tells of a change once. What was not carried out must not be forgotten as if it had been.
    #[test]
    fn a_request_whose_call_was_not_sent_is_asked_again() {
        let world = started(World::example("rename-through-gitlab"));
        world.json(0, &["apply", "website=before.csv"]);
        world.json(0, &["plan", "--out", "plan.json", "website=after.csv"]);
        world.lab("gitlab", "POST", "meddle/42", &json!({ "username": "anna.x" }));
        let report = world.json(7, &["apply", "--yes", "plan.json"]);
        assert_eq!(outcomes(&report), [json!({ "moved": ["username"] })]);
        let again = world.json(0, &["apply", "--yes", "website=after.csv"]);
        assert_eq!(outcomes(&again), ["done"]);
        assert_eq!(world.user("gitlab", "id", "42")["username"], "anna.b");
        let last = world.json(0, &["plan", "website=after.csv"]);
        assert_eq!(calls(&last), Vec::<String>::new());
    }

    /// Only what is open is asked again: what was done meanwhile belongs to its owner.
    #[test]
    fn a_request_that_was_held_is_asked_again_and_what_was_done_beside_it_is_not() {
        let rules = "owner([\"username\", \"display_name\"], \"gitlab\");
source(\"web\", |row| #{ key: row.id, email: row.email, username: row.username, display_name: row.name });
join(\"gitlab\", \"email\");\n";
        let users =
            json!({ "users": [seeded("gitlab", "ann", "p0@example.com"), seeded("gitlab", "bob", "p1@example.com")] });
        let world = project(&[("gitlab", users)], rules);
        let settings = world.read("homeward.toml");
        let (hr, web) = settings.split_at(settings.find("[systems.web]").unwrap());
        world.write("homeward.toml", (hr.to_owned() + web.replacen("\"state\"", "\"changes\"", 1).as_str()).as_bytes());
        let says = |text: &str| world.write("web.csv", format!("id,email,username,name\n{text}").as_bytes());
        says("0,p0@example.com,ann,Ann Other\n1,p1@example.com,bob,Ann Other\n");
        world.json(0, &["apply", "web=web.csv"]);

        // The names are a ring, and held; the new display name is not.
        says("0,p0@example.com,bob,Ann Newman\n1,p1@example.com,ann,Ann Other\n");
        assert_eq!(outcomes(&world.json(4, &["apply", "--yes", "web=web.csv"])), ["done"]);
        let id = world.user("gitlab", "email", "p0@example.com")["id"].as_str().unwrap().to_owned();
        world.lab("gitlab", "POST", &format!("meddle/{id}"), &json!({ "name": "Ann Third" }));

        // The advice is followed.
        world.write("rules/rules.rhai", format!("{rules}temporary(\"username\", \"gitlab\");\n").as_bytes());
        let plan = world.json(0, &["plan", "web=web.csv"]);
        assert_eq!(changes(&plan), ["web/0 username gitlab apply ann → bob", "web/1 username gitlab apply bob → ann"]);
        world.json(0, &["apply", "--yes", "web=web.csv"]);
        assert_eq!(world.state("gitlab")["users"][&id]["username"], "bob");
        assert_eq!(world.state("gitlab")["users"][&id]["name"], "Ann Third");
        assert_eq!(changes(&world.json(0, &["plan", "web=web.csv"])), Vec::<String>::new());
    }

    #[test]
    fn a_plan_that_was_edited_is_refused_whole() {
        let (system, fields) = FIELDS[0];
        let world = ten(system, fields);
        let text = world.read("plan.json");
        let edited = text.replacen("New First", "My First", 1);
        assert_ne!(edited, text);
        for (text, why) in [(edited.as_str(), "it was changed after it was saved"), (&text[..text.len() / 2], "EOF")] {
            world.write("plan.json", text.as_bytes());
            let told = world.json(2, &["apply", "--yes", "plan.json"]);
            assert!(told["errors"][0]["message"].as_str().unwrap().contains(why), "{told}");
        }
        assert_eq!(world.asked(system), Vec::<String>::new());
    }

    /// A saved plan depends on what was there when it was made. After it was applied that is no longer so: nothing is
    /// sent twice, and the report says so rather than claiming to have done it.
    #[test]
    fn a_plan_that_was_applied_already_sends_nothing_more() {
        let rules = "owner([\"username\", \"email\", \"nickname\"], \"hr\");
copies([\"username\", \"email\", \"nickname\"], \"mattermost\");
source(\"hr\", |row| #{ key: row.id, username: row.username, email: row.email, nickname: row.nickname });
join(\"mattermost\", \"email\");
account(\"mattermost\");\n";
        let users = json!({ "users": [{ "username": "ann", "email": "ann@example.com" }] });
        let people = "id,username,email,nickname\n1,ann,ann@example.com,Annie\n2,bob,bob@example.com,Bobby\n";
        let world = project(&[("mattermost", users)], rules).file("people.csv", people);
        world.json(0, &["plan", "--out", "plan.json", "hr=people.csv"]);
        assert_eq!(outcomes(&world.json(0, &["apply", "--yes", "plan.json"])), ["done", "done"]);
        let state = world.state("mattermost");
        world.forget(&["mattermost"]);
        // It is as planned already: that is done, and nothing is sent for it.
        let again = world.json(0, &["apply", "--yes", "plan.json"]);
        assert_eq!((outcomes(&again), &again["found_done"]), (vec![json!("done"), json!("done")], &json!(2)));
        assert_eq!(world.writes("mattermost"), Vec::<Value>::new());
        assert_eq!(world.state("mattermost"), state);
        let told = world.homeward(&["--lab", "apply", "--yes", "plan.json"]).stdout;
        let last = told.lines().last().unwrap();
        assert_eq!(last, "Done: 2 of 2 calls (run 3). All of it was so already: nothing was sent.");
    }

    #[test]
    fn pending_changes_are_an_exit_code_for_who_asks() {
        let (system, fields) = FIELDS[1];
        let world = ten(system, fields);
        world.json(3, &["plan", "--detailed-exitcode", "hr=people.csv"]);
        world.json(0, &["apply", "--yes", "plan.json"]);
        world.json(0, &["plan", "--detailed-exitcode", "hr=people.csv"]);
    }

    #[test]
    fn nothing_is_done_where_nobody_can_be_asked() {
        let (system, fields) = FIELDS[1];
        let world = ten(system, fields);
        for input in ["plan.json", "hr=people.csv"] {
            let ran = world.homeward(&["--lab", "apply", input]);
            assert_eq!(ran.status, 2, "{}", ran.stderr);
            assert!(ran.stderr.contains("--yes"), "{}", ran.stderr);
        }
        assert_eq!(world.writes(system), Vec::<Value>::new());
        assert_eq!(world.json(0, &["runs"])["runs"], json!([]));
    }

    #[test]
    fn a_saved_plan_passes_the_limits_of_the_day_it_is_applied() {
        let (system, fields) = FIELDS[1];
        let world = ten(system, fields);
        let settings = world.read("homeward.toml") + "[limits]\nchanges = \"10%\"\n";
        world.write("homeward.toml", settings.as_bytes());
        world.json(6, &["apply", "--yes", "plan.json"]);
        assert_eq!(world.writes(system), Vec::<Value>::new());
    }
}

mod names {
    use super::*;

    /// Everybody's name at each system by HR's word, with or without leave to hold a name for a moment.
    fn world(before: &[&str], after: &[&str], temporary: bool) -> World {
        let mut rules =
            "owner(\"username\", \"hr\");\ncopies(\"username\", [\"gitlab\", \"mattermost\", \"zitadel\"]);\n\
             source(\"hr\", |row| #{ key: row.id, email: row.email, username: row.username });\n\
             for system in [\"gitlab\", \"mattermost\", \"zitadel\"] { join(system, \"email\"); }\n"
                .to_owned();
        if temporary {
            rules += "temporary(\"username\", [\"gitlab\", \"mattermost\", \"zitadel\"]);\n";
        }
        let mut rows = "id,email,username\n".to_owned();
        for (at, name) in after.iter().enumerate() {
            rows += &format!("{at},p{at}@example.com,{name}\n");
        }
        project(&with_people(before), &rules).file("people.csv", &rows)
    }

    /// What was sent to a system, as person and new name. Fails where a step takes a name that somebody has.
    fn renames(world: &World, system: &str, before: &[&str]) -> Vec<String> {
        let mut names: BTreeMap<String, String> =
            before.iter().enumerate().map(|(at, name)| (format!("p{at}"), (*name).to_owned())).collect();
        let people: BTreeMap<String, String> = world
            .users(system)
            .into_iter()
            .filter_map(|user| {
                let person = user["email"].as_str()?.strip_suffix("@example.com")?.to_owned();
                Some((user["id"].as_str()?.to_owned(), person))
            })
            .collect();
        let step = |write: Value| {
            let path = write[1].as_str().unwrap();
            let person = &people[path.split('/').find(|part| people.contains_key(*part)).unwrap()];
            let name = write[2]["username"].as_str().unwrap().to_owned();
            assert_eq!(write[3], 200, "{system}: {write}");
            let rival = names.iter().find(|(who, held)| *who != person && held.to_lowercase() == name.to_lowercase());
            assert_eq!(rival, None, "{system}: {person} takes {name}");
            names.insert(person.clone(), name.clone());
            format!("{person} {name}")
        };
        world.writes(system).into_iter().map(step).collect()
    }

    fn held_now(world: &World, system: &str, people: usize) -> Vec<String> {
        let name =
            |at| world.user(system, "email", &format!("p{at}@example.com"))["username"].as_str().unwrap().to_owned();
        (0..people).map(name).collect()
    }

    fn ends(before: &[&str], after: &[&str], temporary: bool, steps: &[&str]) {
        let world = world(before, after, temporary);
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        for system in ALL {
            assert_eq!(renames(&world, system, before), steps, "{system}");
            assert_eq!(held_now(&world, system, before.len()), after, "{system}");
        }
        assert_eq!(calls(&world.json(0, &["plan", "hr=people.csv"])), Vec::<String>::new());
    }

    fn is_held(names: &[&str], after: &[&str], ring: &str) {
        let world = world(names, after, false);
        let plan = world.json(0, &["plan", "hr=people.csv"]);
        for system in ALL {
            for (at, (before, after)) in names.iter().zip(after).enumerate() {
                let one = change(&plan, &format!("hr/{at}"), "username", system);
                let reason = format!(
                    "{ring} exchange `username` at {system} in a ring; allow a name held for a moment with \
                     temporary(\"username\", \"{system}\"), or do it in two steps"
                );
                let expected = json!(["hold", before, after, reason]);
                assert_eq!(json!([one["decision"], one["before"], one["after"], one["reason"]]), expected);
            }
        }
        world.json(4, &["apply", "--yes", "hr=people.csv"]);
        for system in ALL {
            assert_eq!(world.writes(system), Vec::<Value>::new(), "{system}");
            assert_eq!(held_now(&world, system, names.len()), names, "{system}");
        }
    }

    #[test]
    fn two_people_exchange_names_through_a_temporary_one() {
        ends(&["ann", "bob"], &["bob", "ann"], true, &["p0 ann-moving1", "p1 ann", "p0 bob"]);
    }

    #[test]
    fn two_people_who_may_hold_no_temporary_name_are_held() {
        is_held(&["ann", "bob"], &["bob", "ann"], "hr/0, hr/1");
    }

    #[test]
    fn a_chain_of_five_frees_each_name_before_it_is_taken() {
        let steps = ["p4 six", "p3 five", "p2 four", "p1 three", "p0 two"];
        ends(&["one", "two", "three", "four", "five"], &["two", "three", "four", "five", "six"], false, &steps);
    }

    #[test]
    fn a_ring_of_five_needs_one_temporary_name() {
        let steps = ["p0 one-moving1", "p4 one", "p3 five", "p2 four", "p1 three", "p0 two"];
        ends(&["one", "two", "three", "four", "five"], &["two", "three", "four", "five", "one"], true, &steps);
    }

    #[test]
    fn a_ring_of_five_without_leave_is_held_whole() {
        let names = ["one", "two", "three", "four", "five"];
        is_held(&names, &["two", "three", "four", "five", "one"], "hr/0, hr/1, hr/2, hr/3, hr/4");
    }

    #[test]
    fn the_temporary_name_avoids_names_that_somebody_has() {
        let before = ["ann", "bob", "ann-moving1"];
        let steps = ["p0 ann-moving2", "p1 ann", "p0 bob"];
        ends(&before, &["bob", "ann", "ann-moving1"], true, &steps);
    }

    #[test]
    fn older_servers_exchange_names_too() {
        let before = ["ann", "bob"];
        for (version, path, field) in
            [("3.2.1", "/v2/users/human/", "username"), ("2.30.0", "/management/v1/users/", "userName")]
        {
            let world = world(&before, &["bob", "ann"], true);
            world.lab("zitadel", "POST", "settings", &json!({ "version": version }));
            world.json(0, &["apply", "--yes", "hr=people.csv"]);
            let names: Vec<Value> = world.writes("zitadel").iter().map(|write| write[2][field].clone()).collect();
            assert_eq!(names, ["ann-moving1", "ann", "bob"], "{version}");
            assert!(world.writes("zitadel").iter().all(|write| write[1].as_str().unwrap().starts_with(path)));
            assert_eq!(held_now(&world, "zitadel", 2), ["bob", "ann"], "{version}");
        }
    }

    /// In a chain each step needs the one before it. Where one does not happen, those behind it are not tried.
    #[test]
    fn a_chain_stops_where_a_step_cannot_be_made() {
        let (before, after) = (["one", "two", "three", "four", "five"], ["two", "three", "four", "five", "six"]);
        let world = world(&before, &after, false);
        world.json(0, &["plan", "--out", "plan.json", "hr=people.csv"]);
        world.lab("gitlab", "POST", "meddle/three", &json!({ "username": "third" }));
        world.forget(&ALL);
        let report = world.json(7, &["apply", "--yes", "plan.json"]);
        let of_gitlab = report["outcomes"].as_array().unwrap().iter().filter(|one| one["system"] == "gitlab");
        let of_gitlab: Vec<Value> = of_gitlab.map(|one| json!([one["call"], one["person"], one["outcome"]])).collect();
        let call = |at: usize| of_gitlab[at][0].clone();
        let expected = [
            json!([call(0), "hr/4", "done"]),
            json!([call(1), "hr/3", "done"]),
            json!([call(2), "hr/2", { "moved": ["username"] }]),
            json!([call(3), "hr/1", { "skipped": call(2) }]),
            json!([call(4), "hr/0", { "skipped": call(3) }]),
        ];
        assert_eq!(of_gitlab, expected);
        assert_eq!(held_now(&world, "gitlab", 5), ["one", "two", "third", "five", "six"]);
        // What went wrong at one provider stops nothing at another.
        for system in ["mattermost", "zitadel"] {
            assert_eq!(held_now(&world, system, 5), after, "{system}");
        }
        // And the next run finishes.
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        assert_eq!(held_now(&world, "gitlab", 5), after);
    }

    #[test]
    fn two_people_exchange_everything_they_have() {
        let rules = "owner([\"username\", \"email\", \"nickname\"], \"hr\");
copies([\"username\", \"email\"], [\"gitlab\", \"mattermost\", \"zitadel\"]);
copies(\"nickname\", [\"mattermost\", \"zitadel\"]);
source(\"hr\", |row| #{ key: row.id, email: row.email, username: row.username, nickname: row.nickname });
for system in [\"gitlab\", \"mattermost\", \"zitadel\"] {
    join(system, \"email\");
    temporary([\"username\", \"email\"], system);
}\n";
        let world = project(&with_people(&["ann", "bob"]), rules);
        let says = |text: &str| world.write("hr.csv", format!("id,email,username,nickname\n{text}").as_bytes());
        // The first run ties people to accounts, so that an address that wanders takes nobody along.
        says("0,p0@example.com,ann,Annie\n1,p1@example.com,bob,Bobby\n");
        world.json(0, &["apply", "--yes", "hr=hr.csv"]);
        let ids =
            |name: &str| ALL.map(|system| world.user(system, "username", name)["id"].as_str().unwrap().to_owned());
        let (ann, bob) = (ids("ann"), ids("bob"));
        says("0,p1@example.com,bob,Bobby\n1,p0@example.com,ann,Annie\n");
        // GitLab keeps an old address with its account, so there it cannot be exchanged.
        let plan = world.json(0, &["plan", "hr=hr.csv"]);
        for person in ["hr/0", "hr/1"] {
            let email = change(&plan, person, "email", "gitlab");
            assert_eq!((&email["decision"], &email["refusal"]), (&json!("refuse"), &json!("taken")));
        }
        let report = world.json(4, &["apply", "--yes", "hr=hr.csv"]);
        assert!(outcomes(&report).iter().all(|outcome| outcome == "done"), "{report:#}");
        for (at, system) in ALL.iter().enumerate() {
            let state = world.state(system);
            let has = |id: &str| {
                ["username", "email", "nickname"]
                    .map(|field| state["users"][id][field].as_str().unwrap_or_default().to_owned())
            };
            let (first, second) = (has(&ann[at]), has(&bob[at]));
            match *system {
                "gitlab" => assert_eq!(
                    (&first[..2], &second[..2]),
                    (
                        &["bob", "p0@example.com"].map(String::from)[..],
                        &["ann", "p1@example.com"].map(String::from)[..]
                    )
                ),
                _ => assert_eq!(
                    (first, second),
                    (
                        ["bob", "p1@example.com", "Bobby"].map(String::from),
                        ["ann", "p0@example.com", "Annie"].map(String::from)
                    ),
                    "{system}"
                ),
            }
        }
    }

    #[test]
    fn letter_case_alone_is_a_change_where_it_is_kept() {
        let world = world(&["ann"], &["Ann"], false);
        let plan = world.json(0, &["plan", "hr=people.csv"]);
        assert_eq!(changes(&plan), ["hr/0 username gitlab apply ann → Ann", "hr/0 username zitadel apply ann → Ann"]);
        assert_eq!(outcomes(&world.json(0, &["apply", "--yes", "hr=people.csv"])), ["done", "done"]);
        assert_eq!(ALL.map(|system| held_now(&world, system, 1).remove(0)), ["Ann", "ann", "Ann"]);
        assert_eq!(changes(&world.json(0, &["plan", "hr=people.csv"])), Vec::<String>::new());
    }
}

mod proof {
    use super::*;

    const EMAIL: &str = "owner([\"email\", \"nickname\"], \"hr\");\ncopies([\"email\", \"nickname\"], \"mattermost\");
source(\"hr\", |row| #{ key: row.id, username: row.username, email: row.email, nickname: row.nickname });
join(\"mattermost\", \"username\");\n";

    #[test]
    fn a_yes_that_was_not_done_is_never_called_success() {
        let users = json!({ "users": [{ "username": "ann", "email": "ann@example.com" }] });
        let people = "id,username,email,nickname\n1,ann,ann.new@example.com,Annie\n";
        let world = project(&[("mattermost", users)], EMAIL).file("people.csv", people);
        world.json(0, &["plan", "--out", "plan.json", "hr=people.csv"]);
        world.lab("mattermost", "POST", "settings", &json!({ "require_email_verification": true }));
        let report = world.json(7, &["apply", "--yes", "plan.json"]);
        let refused = json!({ "kind": "ineffective", "reason": "mattermost said yes and did not change `email`" });
        let mut told = outcomes(&report);
        let told = told.remove(0);
        assert_eq!(told["refused"]["kind"], refused["kind"], "{told}");
        assert_eq!(told["refused"]["reason"], refused["reason"], "{told}");
        assert_eq!(world.writes("mattermost")[0][3], 200);
        let ann = world.user("mattermost", "username", "ann");
        assert_eq!((&ann["email"], &ann["nickname"]), (&json!("ann@example.com"), &json!("Annie")));
        // The next plan knows the setting and says what would happen.
        let plan = world.json(0, &["plan", "hr=people.csv"]);
        let email = change(&plan, "hr/1", "email", "mattermost");
        assert_eq!((&email["decision"], &email["refusal"]), (&json!("refuse"), &json!("ineffective")));
    }

    /// What a run left behind in its journal, without the places that are the same for all.
    fn journal(world: &World, run: &str) -> Vec<(String, String)> {
        let told = world.json(0, &["runs", run]);
        let entry =
            |entry: &Value| (entry["call"].as_str().unwrap().to_owned(), entry["entry"].as_str().unwrap().to_owned());
        let of_calls = told["journal"].as_array().unwrap().iter().filter(|entry| entry.get("call").is_some());
        of_calls.map(entry).collect()
    }

    #[test]
    fn every_call_is_written_down_before_it_leaves_and_before_its_answer_is_believed() {
        let names = ["one", "two", "three", "four", "five", "six"];
        let rules = "owner(\"username\", \"hr\");\ncopies(\"username\", [\"gitlab\", \"mattermost\", \"zitadel\"]);
source(\"hr\", |row| #{ key: row.id, email: row.email, username: row.username });
for system in [\"gitlab\", \"mattermost\", \"zitadel\"] { join(system, \"email\"); }\n";
        let mut people = "id,email,username\n".to_owned();
        for (at, name) in names.iter().enumerate() {
            people += &format!("{at},p{at}@example.com,{name}.new\n");
        }
        let world = project(&with_people(&names), rules).file("people.csv", &people);
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        let entries = journal(&world, "1");
        let mut of_calls: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (call, entry) in &entries {
            of_calls.entry(call).or_default().push(entry);
        }
        assert_eq!(of_calls.len(), 18);
        for (call, entries) in of_calls {
            assert_eq!(entries, ["calling", "answered", "settled"], "{call}");
        }
        let told = world.json(0, &["runs", "1"]);
        let calling = told["journal"].as_array().unwrap().iter().filter(|entry| entry["entry"] == "calling");
        let mut written: Vec<String> = calling
            .map(|entry| format!("{} {}", entry["method"].as_str().unwrap(), entry["path"].as_str().unwrap()))
            .collect();
        let sent = ALL.iter().flat_map(|system| world.writes(system));
        let mut sent: Vec<String> =
            sent.map(|write| format!("{} {}", write[0].as_str().unwrap(), write[1].as_str().unwrap())).collect();
        written.sort();
        sent.sort();
        assert_eq!(written, sent);
    }

    /// A project whose provider is configured by address, as a real one is.
    fn configured(state: &str) -> World {
        let users = json!({ "users": [
            { "username": "ann", "email": "ann@example.com" }, { "username": "bob", "email": "bob@example.com" }
        ] });
        let people = "id,username,email,nickname\n1,ann,ann@example.com,Annie\n2,bob,bob@example.com,Bobby\n";
        let world = project(&[("mattermost", users)], EMAIL).file("people.csv", people);
        let settings = format!(
            "state = \"{state}\"\n[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n[systems.mattermost]\nkind = \"mattermost\"\n\
             url = \"{}\"\ninsecure_http = true\nconcurrency = 1\ntoken = {{ env = \"TOKEN\" }}\n",
            world.url("mattermost")
        );
        world.write("homeward.toml", settings.as_bytes());
        let token = world.token("mattermost");
        world.variable("TOKEN", &token)
    }

    #[test]
    fn a_configured_provider_is_changed_without_the_lab_being_named() {
        let world = configured("memory/state.db");
        let ran = world.homeward(&["apply", "--yes", "hr=people.csv"]);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, "read 1 system in 3 requests\n"), "{}", ran.stdout);
        assert_eq!(world.user("mattermost", "username", "ann")["nickname"], "Annie");
        assert!(world.path("memory/state.db").exists());
    }

    #[test]
    fn a_store_that_cannot_be_opened_stops_the_run_before_the_first_write() {
        let world = configured("taken");
        world.write("taken/in/the/way", b"");
        let ran = world.homeward(&["apply", "--yes", "hr=people.csv"]);
        assert_ne!(ran.status, 0);
        assert!(ran.stderr.contains("state store"), "{}", ran.stderr);
        assert_eq!(world.writes("mattermost"), Vec::<Value>::new());
    }

    /// A store that lets so many entries about calls be written and then no more, as a full disk does.
    fn full_after(world: &World, entries: u32) {
        // A run that does nothing makes the store.
        world.write("same.csv", b"id,username,email,nickname\n1,ann,ann@example.com,\n");
        assert_eq!(world.homeward(&["apply", "--yes", "hr=same.csv"]).status, 0);
        let store = rusqlite::Connection::open(world.path("state.db")).unwrap();
        let trigger = format!(
            "create trigger full before insert on journal when json_extract(new.entry, '$.call') is not null
             and (select count(*) from journal where json_extract(entry, '$.call') is not null) >= {entries}
             begin select raise(abort, 'the disk is full'); end"
        );
        store.execute_batch(&trigger).unwrap();
    }

    #[test]
    fn a_call_that_cannot_be_written_down_is_not_sent() {
        let world = configured("state.db");
        full_after(&world, 0);
        world.forget(&["mattermost"]);
        let ran = world.homeward(&["apply", "--yes", "hr=people.csv"]);
        assert_eq!(ran.status, 1, "{}{}", ran.stdout, ran.stderr);
        assert!(!world.asked("mattermost").is_empty());
        assert_eq!(world.writes("mattermost"), Vec::<Value>::new());
    }

    #[test]
    fn nothing_more_is_sent_once_the_store_is_full() {
        // The first call needs three entries, and the second may be written down while the first is under way.
        for entries in [1, 2, 3] {
            let world = configured("state.db");
            full_after(&world, entries);
            world.forget(&["mattermost"]);
            let ran = world.homeward(&["apply", "--yes", "hr=people.csv"]);
            assert_eq!(ran.status, 1, "{entries}: {}{}", ran.stdout, ran.stderr);
            let store = rusqlite::Connection::open(world.path("state.db")).unwrap();
            let intents = "select count(*) from journal where json_extract(entry, '$.entry') = 'calling'";
            let intents: u32 = store.query_row(intents, [], |row| row.get(0)).unwrap();
            let sent = u32::try_from(world.writes("mattermost").len()).unwrap();
            assert!(sent <= intents, "{entries}: {sent} were sent, {intents} written down");
            assert!(intents <= entries, "{entries}: {intents} written down");
        }
    }
}

mod accounts {
    use super::*;

    const PEOPLE: &str =
        "owner([\"username\", \"email\", \"first_name\", \"last_name\", \"display_name\", \"active\"], \"hr\");
copies([\"username\", \"email\"], [\"gitlab\", \"mattermost\", \"zitadel\"]);
copies([\"first_name\", \"last_name\"], [\"mattermost\", \"zitadel\"]);
copies(\"display_name\", [\"gitlab\", \"zitadel\"]);
source(\"hr\", |row| #{
    key: row.id, username: row.username, email: row.email, first_name: row.first, last_name: row.last,
    display_name: row.first + \" \" + row.last, active: row.active == \"yes\"
});
for system in [\"gitlab\", \"mattermost\", \"zitadel\"] {
    join(system, [\"email\", \"username\"]);
    account(system, |person| person.active);
}\n";

    /// A list of people: id, username, address, whether active.
    fn people(rows: &[(u32, &str, &str, bool)]) -> String {
        let mut text = "id,username,email,first,last,active\n".to_owned();
        for (id, username, email, active) in rows {
            let active = if *active { "yes" } else { "no" };
            text += &format!("{id},{username},{email},Ann,Other,{active}\n");
        }
        text
    }

    fn empty() -> World {
        project(&ALL.map(|system| (system, json!({}))), PEOPLE)
    }

    fn says(world: &World, rows: &[(u32, &str, &str, bool)]) {
        world.write("people.csv", people(rows).as_bytes());
    }

    /// The id of the account with this address, as a text.
    fn id(world: &World, system: &str, email: &str) -> String {
        world.user(system, "email", email)["id"].as_str().unwrap().to_owned()
    }

    fn is_on(world: &World, system: &str, id: &str) -> bool {
        let user = &world.state(system)["users"][id];
        match system {
            "mattermost" => user["delete_at"] == 0,
            _ => user["state"] == "active",
        }
    }

    #[test]
    fn an_account_is_made_switched_off_and_on_again_at_every_provider() {
        let world = empty();
        let ann = "ann@example.com";
        says(&world, &[(1, "ann", ann, true)]);
        let plan = world.json(0, &["plan", "hr=people.csv"]);
        let passwords = plan["calls"].as_array().unwrap().iter().map(|call| call["generated"].clone());
        // A plan holds no password: those that are needed are made when the call is sent.
        assert_eq!(passwords.collect::<Vec<_>>().len(), 3);
        assert!(!plan.to_string().contains("\"password\":\""), "{plan:#}");
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        for system in ALL {
            let writes = world.writes(system);
            assert_eq!((writes.len(), &writes[0][0]), (1, &json!("POST")), "{system}: {writes:?}");
            assert_eq!(world.user(system, "email", ann)["username"], "ann", "{system}");
        }
        assert_eq!(world.user("gitlab", "email", ann)["name"], "Ann Other");
        assert_eq!(world.user("mattermost", "email", ann)["last_name"], "Other");
        assert_eq!(world.user("zitadel", "email", ann)["display_name"], "Ann Other");
        let ids = ALL.map(|system| id(&world, system, ann));
        world.forget(&ALL);

        says(&world, &[(1, "ann", ann, false)]);
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        let [gitlab, mattermost, zitadel] = &ids;
        let path =
            |system: &str| world.writes(system).iter().map(|write| json!([write[0], write[1]])).collect::<Vec<_>>();
        assert_eq!(path("gitlab"), [json!(["POST", format!("/api/v4/users/{gitlab}/block")])]);
        assert_eq!(path("mattermost"), [json!(["PUT", format!("/api/v4/users/{mattermost}/active")])]);
        assert_eq!(path("zitadel"), [json!(["POST", format!("/v2/users/{zitadel}/deactivate")])]);
        assert_eq!([0, 1, 2].map(|at| is_on(&world, ALL[at], &ids[at])), [false; 3]);
        assert_eq!(changes(&world.json(0, &["plan", "hr=people.csv"])), Vec::<String>::new());
        world.forget(&ALL);

        says(&world, &[(1, "ann", ann, true)]);
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        assert_eq!(path("gitlab"), [json!(["POST", format!("/api/v4/users/{gitlab}/unblock")])]);
        assert_eq!(path("mattermost"), [json!(["PUT", format!("/api/v4/users/{mattermost}/active")])]);
        assert_eq!(path("zitadel"), [json!(["POST", format!("/v2/users/{zitadel}/reactivate")])]);
        assert_eq!([0, 1, 2].map(|at| is_on(&world, ALL[at], &ids[at])), [true; 3]);
        assert_eq!(ALL.map(|system| id(&world, system, ann)), ids);
        assert_eq!(changes(&world.json(0, &["plan", "hr=people.csv"])), Vec::<String>::new());
    }

    #[test]
    fn who_is_not_wanted_and_has_no_account_gets_none() {
        let world = empty();
        says(&world, &[(1, "ann", "ann@example.com", false)]);
        assert_eq!(changes(&world.json(0, &["plan", "hr=people.csv"])), Vec::<String>::new());
    }

    #[test]
    fn a_newcomer_takes_a_name_only_after_it_was_given_up() {
        let world = empty();
        says(&world, &[(1, "ann", "ann.o@example.com", true)]);
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        let ids = ALL.map(|system| id(&world, system, "ann.o@example.com"));
        says(&world, &[(1, "ann.old", "ann.o@example.com", true), (2, "ann", "ann.n@example.com", true)]);
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        for (system, id) in ALL.iter().zip(&ids) {
            assert_eq!(world.state(system)["users"][id]["username"], "ann.old", "{system}");
            assert_eq!(world.user(system, "email", "ann.n@example.com")["username"], "ann", "{system}");
        }
    }

    /// Mattermost with one account that signs in through GitLab, and rules that want neither account of `systems`.
    fn leaver(systems: &[&str]) -> World {
        let gitlab =
            json!({ "users": [{ "id": 42, "username": "ann", "name": "Ann Other", "email": "ann@example.com" }] });
        let chat = json!({ "users": [
            { "username": "ann", "email": "ann@example.com", "auth_service": "gitlab", "auth_data": "42" }
        ] });
        let mut rules =
            "owner(\"active\", \"hr\");\nsource(\"hr\", |row| #{ key: row.id, email: row.email, active: false });\n\
             join(\"gitlab\", \"email\");\njoin(\"mattermost\", \"email\");\n"
                .to_owned();
        for system in systems {
            rules += &format!("account(\"{system}\", |person| person.active);\n");
        }
        project(&[("gitlab", gitlab), ("mattermost", chat)], &rules).file("people.csv", "id,email\n1,ann@example.com\n")
    }

    #[test]
    fn a_gitlab_login_is_switched_off_at_mattermost_together_with_gitlab() {
        let world = leaver(&["gitlab", "mattermost"]);
        let plan = world.json(0, &["plan", "hr=people.csv"]);
        assert_eq!(
            changes(&plan),
            ["hr/1 active gitlab apply true → false", "hr/1 active mattermost apply true → false"]
        );
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        assert_eq!(world.user("gitlab", "id", "42")["state"], "blocked");
        let chat = id(&world, "mattermost", "ann@example.com");
        assert!(!is_on(&world, "mattermost", &chat));
        // It lasts, for nobody can sign in any more.
        assert_ne!(world.homeward(&["lab", "login", "mattermost", "ann"]).status, 0);
        assert!(!is_on(&world, "mattermost", &chat));
    }

    #[test]
    fn a_gitlab_login_is_not_switched_off_at_mattermost_alone() {
        let world = leaver(&["mattermost"]);
        let plan = world.json(0, &["plan", "hr=people.csv"]);
        let one = change(&plan, "hr/1", "active", "mattermost");
        assert_eq!(
            ["decision", "refusal", "belongs_to", "reason"].map(|key| one[key].as_str().unwrap()),
            [
                "refuse",
                "ineffective",
                "gitlab",
                "doomed: the next sign-in through GitLab switches the account on again; switch it off in GitLab; it belongs \
                 to gitlab"
            ]
        );
        world.json(4, &["apply", "--yes", "hr=people.csv"]);
        assert_eq!((world.writes("gitlab"), world.writes("mattermost")), (vec![], vec![]));
    }

    /// Lea has her accounts from a first run, and is tied to them.
    fn with_lea() -> (World, [String; 3]) {
        let world = empty();
        says(&world, &[(1, "lea", "lea@example.com", true)]);
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        let ids = ALL.map(|system| id(&world, system, "lea@example.com"));
        world.forget(&ALL);
        (world, ids)
    }

    #[test]
    fn an_address_that_a_leaver_still_has_is_no_newcomers_and_moves_nobody() {
        let newcomer = (2, "leo", "lea@example.com", true);
        // Whether the leaver is in the file or, as far as a partial file can say, only not spoken of.
        for (rows, stays) in [(&[(1, "lea", "lea@example.com", false), newcomer][..], false), (&[newcomer], true)] {
            let (world, ids) = with_lea();
            says(&world, rows);
            let plan = world.json(0, &["plan", "hr=people.csv"]);
            for system in ["gitlab", "mattermost"] {
                let email = change(&plan, "hr/2", "email", system);
                assert_eq!((&email["decision"], &email["refusal"]), (&json!("refuse"), &json!("taken")), "{system}");
                let username = change(&plan, "hr/2", "username", system);
                assert_eq!(username["reason"], "no account is made without its `email`");
            }
            // ZITADEL lets any number of people share an address.
            assert_eq!(change(&plan, "hr/2", "username", "zitadel")["decision"], "apply");
            world.json(4, &["apply", "--yes", "hr=people.csv"]);
            for (system, id) in ALL.iter().zip(&ids) {
                let lea = &world.state(system)["users"][id];
                assert_eq!((&lea["username"], &lea["email"]), (&json!("lea"), &json!("lea@example.com")), "{system}");
                assert_eq!(is_on(&world, system, id), stays, "{system}");
            }
        }
    }

    #[test]
    fn an_address_that_a_leaver_gives_up_goes_to_the_newcomer_and_the_account_stays() {
        let (world, ids) = with_lea();
        says(&world, &[(1, "lea", "lea.old@example.com", false), (2, "leo", "lea@example.com", true)]);
        let plan = world.json(0, &["plan", "hr=people.csv"]);
        let email = change(&plan, "hr/2", "email", "gitlab");
        // GitLab keeps the old address with the leaver's account.
        assert_eq!((&email["decision"], &email["refusal"]), (&json!("refuse"), &json!("taken")));
        world.json(4, &["apply", "--yes", "hr=people.csv"]);
        for (system, id) in ALL.iter().zip(&ids) {
            let lea = &world.state(system)["users"][id];
            assert_eq!((&lea["username"], &lea["email"]), (&json!("lea"), &json!("lea.old@example.com")), "{system}");
            assert!(!is_on(&world, system, id), "{system}");
        }
        for system in ["mattermost", "zitadel"] {
            let leo = world.user(system, "email", "lea@example.com");
            assert_eq!(leo["username"], "leo", "{system}");
        }
    }
}

mod held {
    use super::*;

    /// GitLab owns usernames; HR and a website may ask.
    fn two_sources(hr: &str, web: &str) -> World {
        let rules = "owner(\"username\", \"gitlab\");
source(\"hr\", |row| #{ key: row.id, email: row.email, username: row.username });
source(\"web\", |row| #{ key: row.id, email: row.email, username: row.username });
join(\"gitlab\", \"email\");\n";
        let users = json!({ "users": [{ "id": 42, "username": "ann", "name": "Ann", "email": "ann@example.com" }] });
        let row = |id: u32, name: &str| format!("id,email,username\n{id},ann@example.com,{name}\n");
        project(&[("gitlab", users)], rules).file("hr.csv", &row(1, hr)).file("web.csv", &row(7, web))
    }

    #[test]
    fn two_different_requests_for_one_attribute_are_held_and_both_are_named() {
        let world = two_sources("ann.h", "ann.w");
        let plan = world.json(0, &["plan", "hr=hr.csv", "web=web.csv"]);
        assert_eq!(changes(&plan), ["hr/1 username gitlab hold ann → ann.h", "hr/1 username gitlab hold ann → ann.w"]);
        for one in plan["changes"].as_array().unwrap() {
            assert_eq!(
                one["reason"],
                "two systems ask for different values: hr (hr.csv:2) asks for ann.h, web (web.csv:2) asks for ann.w"
            );
        }
        world.json(4, &["apply", "--yes", "hr=hr.csv", "web=web.csv"]);
        assert_eq!(world.writes("gitlab"), Vec::<Value>::new());
        // The order in which files are named decides nothing.
        let turned = world.json(0, &["plan", "web=web.csv", "hr=hr.csv"]);
        assert_eq!(turned["changes"], plan["changes"]);
    }

    #[test]
    fn two_requests_for_the_same_value_are_one_change() {
        let world = two_sources("ann.b", "ann.b");
        let report = world.json(0, &["apply", "--yes", "hr=hr.csv", "web=web.csv"]);
        assert_eq!(outcomes(&report), ["done"]);
        assert_eq!(world.writes("gitlab"), [json!(["PUT", "/api/v4/users/42", { "username": "ann.b" }, 200])]);
    }

    const NICKNAMES: &str = "owner(\"nickname\", \"hr\");\ncopies(\"nickname\", \"zitadel\");
source(\"hr\", |row| #{ key: row.id, email: row.email, nickname: row.nickname });
join(\"zitadel\", \"email\");\n";

    fn at_zitadel(users: &[(&str, &str)]) -> World {
        let users: Vec<Value> = users.iter().map(|(name, email)| seeded("zitadel", name, email)).collect();
        project(&[("zitadel", json!({ "users": users }))], NICKNAMES)
    }

    #[test]
    fn two_accounts_with_the_joining_address_are_held_with_their_ids() {
        let world = at_zitadel(&[("ann", "ann@example.com"), ("ann2", "ann@example.com"), ("bob", "bob@example.com")])
            .file("hr.csv", "id,email,nickname\n1,ann@example.com,Annie\n2,bob@example.com,Bobby\n");
        let plan = world.json(0, &["plan", "hr=hr.csv"]);
        let ids =
            ["ann", "ann2"].map(|name| world.user("zitadel", "username", name)["id"].as_str().unwrap().to_owned());
        let mut held = plan["changes"].as_array().unwrap().iter().filter(|one| one["person"] == "hr/1");
        let one = held.next().unwrap();
        assert_eq!(one["decision"], "hold");
        let settled = format!("say which is hers, as in `homeward link hr/1 zitadel:{}`", ids[0]);
        let reason = format!("zitadel has 2 accounts with this email: {}; {settled}", ids.join(", "));
        assert_eq!(one["reason"], reason);
        // It is about her, and about none of her attributes.
        let shown = world.homeward(&["--lab", "plan", "hr=hr.csv"]).stdout;
        let told: Vec<&str> = shown.lines().filter(|line| line.trim_start().starts_with("hold ")).collect();
        let told: Vec<String> = told.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert!(told.len() == 1 && told[0].contains("2 attributes hr email, nickname"), "{shown}");
        world.json(4, &["apply", "--yes", "hr=hr.csv"]);
        assert_eq!(world.writes("zitadel").len(), 1);
        assert_eq!(world.user("zitadel", "username", "bob")["nickname"], "Bobby");
        let nicknames = || ids.each_ref().map(|id| world.state("zitadel")["users"][id]["nickname"].clone());
        assert_eq!(nicknames(), ["", ""]);
        assert_eq!(world.homeward(&["--lab", "link", "hr/1", &format!("zitadel:{}", ids[0])]).status, 0);
        world.json(0, &["apply", "--yes", "hr=hr.csv"]);
        assert_eq!(nicknames(), ["Annie", ""]);
    }

    #[test]
    fn two_people_who_could_be_one_account_are_both_held() {
        let world = at_zitadel(&[("ann", "ann@example.com")])
            .file("hr.csv", "id,email,nickname\n1,ann@example.com,Annie\n2,Ann@example.com,Nan\n");
        let plan = world.json(0, &["plan", "hr=hr.csv"]);
        let decisions: Vec<&Value> = plan["changes"].as_array().unwrap().iter().map(|one| &one["decision"]).collect();
        assert!(!decisions.is_empty() && decisions.iter().all(|it| *it == "hold"), "{:#}", plan["changes"]);
        let ran = world.homeward(&["--lab", "apply", "--yes", "hr=hr.csv"]);
        let end = format!("Nothing to send (run 1). {} changes refused or held, as the plan says.\n", decisions.len());
        assert!(ran.status == 4 && ran.stdout.ends_with(&end), "{}", ran.stdout);
        assert_eq!(world.writes("zitadel"), Vec::<Value>::new());
    }
}

mod limits {
    use super::*;

    /// Forty people at GitLab, and rules by which HR owns their names and whether they work here.
    fn forty(limits: &str) -> World {
        let rules =
            "owner([\"display_name\", \"active\"], \"hr\");\ncopies([\"display_name\", \"active\"], \"gitlab\");
source(\"hr\", |row| #{ key: row.id, username: row.username, display_name: row.name, active: row.active == \"yes\" });
join(\"gitlab\", \"username\");\n";
        let users = (0..40)
            .map(|at| json!({ "username": format!("p{at}"), "name": "Old", "email": format!("p{at}@example.com") }));
        let world = project(&[("gitlab", json!({ "users": users.collect::<Vec<_>>() }))], rules);
        let settings = format!("{}[limits]\n{limits}\n", world.read("homeward.toml"));
        world.file("homeward.toml", &settings)
    }

    /// So many of the forty leave, and so many get another name.
    fn says(world: &World, leaving: usize, renamed: usize) {
        let mut rows = "id,username,name,active\n".to_owned();
        for at in 0..40 {
            let active = if at < leaving { "no" } else { "yes" };
            let name = if at < renamed { "New" } else { "Old" };
            rows += &format!("{at},p{at},{name},{active}\n");
        }
        world.write("hr.csv", rows.as_bytes());
    }

    fn stopped(world: &World, words: &str) {
        for command in [&["plan"][..], &["apply", "--yes"]] {
            let mut arguments = vec!["--lab", "-q"];
            arguments.extend(command);
            arguments.push("hr=hr.csv");
            let ran = world.homeward(&arguments);
            assert_eq!(ran.status, 6, "{}", ran.stdout);
            let told = in_one_line(&ran.stderr);
            assert!(told.contains(words), "{told}");
        }
        assert_eq!(world.writes("gitlab"), Vec::<Value>::new());
    }

    #[test]
    fn too_many_leavers_stop_the_whole_plan() {
        let world = forty("removals = { share = \"5%\", at_least = 3 }");
        says(&world, 4, 1);
        stopped(&world, "4 of 40 people would lose gitlab; `limits.removals` allows 3");
        says(&world, 3, 40);
        world.json(0, &["apply", "--yes", "hr=hr.csv"]);
        assert_eq!(world.users("gitlab").iter().filter(|user| user["state"] == "blocked").count(), 3);
    }

    #[test]
    fn too_many_changes_stop_the_whole_plan() {
        let world = forty("changes = \"20%\"");
        says(&world, 0, 9);
        stopped(&world, "9 of 40 people would change at gitlab; `limits.changes` allows 8");
        says(&world, 0, 8);
        world.json(0, &["apply", "--yes", "hr=hr.csv"]);
        assert_eq!(world.users("gitlab").iter().filter(|user| user["name"] == "New").count(), 8);
    }

    #[test]
    fn protected_accounts_are_held_by_id_and_by_name() {
        let world = forty("protected = [\"gitlab:p0\"]");
        let id = world.user("gitlab", "username", "p1")["id"].as_str().unwrap().to_owned();
        let settings = world.read("homeward.toml").replace("\"gitlab:p0\"", &format!("\"gitlab:p0\", \"gitlab:{id}\""));
        world.write("homeward.toml", settings.as_bytes());
        says(&world, 0, 3);
        let plan = world.json(0, &["plan", "hr=hr.csv"]);
        assert_eq!(
            changes(&plan),
            [
                "hr/0 display_name gitlab hold Old → New",
                "hr/1 display_name gitlab hold Old → New",
                "hr/2 display_name gitlab apply Old → New",
            ]
        );
        assert_eq!(plan["changes"][0]["reason"], "the account is protected by `limits.protected`");
        assert_eq!(outcomes(&world.json(4, &["apply", "--yes", "hr=hr.csv"])), ["done"]);
        assert_eq!(world.users("gitlab").iter().filter(|user| user["name"] == "New").count(), 1);
    }
}
