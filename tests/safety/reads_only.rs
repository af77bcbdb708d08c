//! A dry run sends reads only and leaves no trace but the file it was asked for.

use crate::company::{Company, NAMES, PROVIDERS, files};

#[test]
fn whatever_plans_checks_or_lists_sends_only_reads_and_leaves_every_system_as_it_was() {
    let company = Company::new();
    let world = &company.world;
    let before = company.states();
    let commands: [(&[&str], i32); 14] = [
        (&["plan", "hr=people.csv"], 0),
        (&["plan", "hr=people.csv", "--out", "saved.json"], 0),
        (&["plan", "hr=people.csv", "--format", "json"], 0),
        (&["plan", "hr=people.csv", "--detailed-exitcode", "--all", "-vv"], 3),
        (&["check"], 0),
        (&["check", "--connect"], 0),
        (&["check", "--connect", "--format", "json"], 0),
        (&["owners"], 0),
        (&["owners", "--mermaid"], 0),
        (&["runs"], 0),
        (&["schema"], 0),
        (&["completions", "bash"], 0),
        // Nobody is there to say yes.
        (&["apply", "hr=people.csv"], 2),
        (&["apply", "saved.json"], 2),
    ];
    let listed = |world: &crate::common::World| {
        let mut names: Vec<String> = files(&world.path("")).into_keys().collect();
        names.retain(|name| name != "saved.json");
        names
    };
    let at_first = listed(world);
    for (command, status) in commands {
        let ran = world.homeward(command);
        assert_eq!(ran.status, status, "{command:?}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(company.writes(), Vec::<String>::new(), "{command:?}");
        assert_eq!(listed(world), at_first, "{command:?}");
    }
    company.configure("[limits]\nremovals = { share = \"1%\", at_least = 0 }\n");
    for command in
        [&["plan", "hr=people.csv"][..], &["apply", "hr=people.csv", "--yes"], &["apply", "saved.json", "--yes"]]
    {
        assert!(command[0] == "apply" || listed(world) == at_first, "a plan keeps nothing");
        let ran = world.homeward(command);
        assert_eq!(ran.status, 6, "{command:?}: {}{}", ran.stdout, ran.stderr);
    }
    assert_eq!(company.writes(), Vec::<String>::new());
    assert_eq!(company.states(), before);
    // What was held is kept for somebody to settle, and nothing else.
    let kept: Vec<String> = listed(world).into_iter().filter(|name| !name.contains("state.db")).collect();
    assert_eq!(kept, at_first);
    for system in PROVIDERS {
        assert!(!company.servers[system].requests().is_empty(), "{system} was never looked at: the proxy is not used");
    }
    // The same project does write where it shall: what was watched is the right way.
    company.configure("");
    let ran = world.homeward(&["apply", "hr=people.csv", "--yes"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(company.writes().len() >= 6, "{:?}", company.writes());
    assert_ne!(company.states(), before);
}

#[test]
fn what_is_told_on_the_side_names_nobody() {
    let company = Company::new();
    for command in [
        &["check"][..],
        &["check", "--connect"],
        &["plan", "hr=people.csv", "--out", "saved.json"],
        &["apply", "saved.json", "--yes"],
        &["apply", "hr=people.csv", "--yes"],
        &["runs", "1"],
    ] {
        let ran = company.world.homeward(command);
        assert_eq!(ran.status, 0, "{command:?}: {}{}", ran.stdout, ran.stderr);
        let told = NAMES.iter().filter(|name| ran.stderr.contains(*name)).collect::<Vec<_>>();
        assert_eq!(told, Vec::<&&str>::new(), "{command:?}: {}", ran.stderr);
    }
    // What fails is told without values, too.
    for system in PROVIDERS {
        company.servers[system].behave(|_| crate::server::Answer::text(500, "text/plain", "oops"));
    }
    let ran = company.world.homeward(&["plan", "hr=people.csv"]);
    assert_eq!(ran.status, 5, "{}{}", ran.stdout, ran.stderr);
    assert!(NAMES.iter().all(|name| !ran.stderr.contains(name)), "{}", ran.stderr);
}
