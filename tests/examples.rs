//! The example folders, each run as its README says, and what each of them demands.
//!
//! A new folder is covered by itself: its README must open with a block of commands that succeeds and ends its lab.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;

use std::{collections::BTreeSet, fs, path::Path};

use common::{
    Ran, World,
    journey::{calls, change, changes, outcomes},
    readme::{Background, Block, blocks, nothing_is_left_running, shell},
};
use serde_json::{Value, json};

/// The examples, by name.
fn examples() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folders = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("homeward.toml").exists());
    let mut names: Vec<String> = folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(!names.is_empty());
    names
}

/// The block of commands an example's README opens with.
fn opening(world: &World, name: &str) -> Block {
    let page = world.read("README.md");
    let block = blocks(&page).into_iter().next().unwrap_or_else(|| panic!("{name}: no block of commands"));
    let before = page.lines().take(block.line - 2).skip(1).find(|line| !line.is_empty());
    assert_eq!(before, None, "{name}: the page must open with its commands");
    block
}

#[test]
fn every_example_does_what_its_readme_says_and_ends_its_lab() {
    for name in examples() {
        let world = World::example(&name);
        let block = opening(&world, &name);
        let lab = Background(&world);
        let Ran { status, stdout, stderr } = shell(&world, &block.text);
        assert_eq!(status, 0, "{name}\n{stdout}\n{stderr}");
        assert!(!stderr.contains("error") && !stderr.contains('×'), "{name}\n{stderr}");
        drop(lab);
        nothing_is_left_running(&world);
        assert!(!world.path(".homeward/lab.json").exists(), "{name}");
    }
}

/// Every `apply` of an example's README, with what stands before it done: planned many times it is the same plan, and
/// done twice it does nothing the second time.
#[test]
fn every_apply_of_an_example_is_planned_the_same_each_time_and_leaves_nothing_for_a_second() {
    for name in examples() {
        let world = World::example(&name);
        let block = opening(&world, &name);
        let _lab = Background(&world);
        if !block.text.contains("lab --detach") {
            // Simulators that end with each command remember nothing.
            assert_eq!(shell(&world, "homeward lab --detach").status, 0, "{name}");
        }
        let all = block.commands().filter(|command| planning(command).is_some()).count();
        let mut applied = 0;
        for command in block.commands() {
            let Some(plan) = planning(command) else {
                let ran = shell(&world, command);
                assert_eq!(ran.status, 0, "{name}: {command}\n{}", ran.stderr);
                continue;
            };
            applied += 1;
            let first = shell(&world, &plan);
            assert_eq!(first.status, 0, "{name}: {plan}\n{}", first.stderr);
            // The last one has the most behind it.
            let times = if applied == all { 20 } else { 2 };
            for _ in 1..times {
                assert_eq!(shell(&world, &plan), first, "{name}: {plan}");
            }
            let once = shell(&world, command);
            assert_eq!(once.status, 0, "{name}: {command}\n{}", once.stderr);
            let again: Value = serde_json::from_str(&shell(&world, &plan).stdout).unwrap();
            assert_eq!((calls(&again), again["summary"]["changes"].clone()), (vec![], json!(0)), "{name}: {command}");
            let twice = shell(&world, command);
            assert_eq!(twice.status, 0, "{name}: {command}\n{}", twice.stderr);
            assert!(twice.stdout.contains("Nothing to do (run "), "{name}: {command}\n{}", twice.stdout);
        }
        assert!(applied > 0, "{name} applies nothing");
    }
}

/// The command that plans what this one applies; `None` where it applies nothing.
fn planning(command: &str) -> Option<String> {
    command.contains(" apply ").then(|| command.replace(" apply ", " -q --format json plan ").replace(" --yes", ""))
}

fn started(mut world: World) -> World {
    world.start_lab(&[]);
    world
}

/// What the changes of a plan that are applied set off, counted by system and effect.
fn side_effects(plan: &Value) -> Value {
    let mut effects = json!({});
    for change in plan["changes"].as_array().unwrap().iter().filter(|change| change["decision"] == "apply") {
        for effect in change["side_effect"].as_str().into_iter().flat_map(|told| told.split("; ")) {
            let count = &mut effects[change["system"].as_str().unwrap()][effect];
            *count = json!(count.as_u64().unwrap_or(0) + 1);
        }
    }
    effects
}

mod rename_through_gitlab {
    use super::*;

    const INPUT: &str = "website=after.csv";

    /// A lab that runs, and a website that has been seen once.
    fn world(world: World) -> World {
        let world = started(world);
        world.json(0, &["apply", "website=before.csv"]);
        world.forget(&["gitlab", "mattermost"]);
        world
    }

    #[test]
    fn the_rename_is_one_call_to_gitlab_and_comes_to_mattermost_with_the_next_sign_in() {
        let world = world(World::example("rename-through-gitlab"));
        let anna = world.user("mattermost", "username", "anna")["id"].clone();

        let plan = world.json(0, &["--today", "2026-11-20", "plan", INPUT]);
        let line = json!([{
            "rule": "rules/ownership.rhai:2:1",
            "text": "owner(\"username\", \"gitlab\", |person| person.mattermost?.auth_service == \"gitlab\");"
        }]);
        let changes = json!([
            {
                "person": "website/7", "attribute": "username", "system": "gitlab", "account": "42",
                "before": "anna", "after": "anna.b", "decision": "apply", "call": "c1",
                "asked_by": { "system": "website", "origin": "after.csv:2" }, "owner": "gitlab", "because": line,
                "reason": "gitlab owns `username` (rules/ownership.rhai:2:1: mattermost.auth_service is \"gitlab\")",
                "side_effect": "the personal namespace and projects move; old addresses redirect until somebody takes them"
            },
            {
                "person": "website/7", "attribute": "username", "system": "mattermost", "account": anna,
                "before": "anna", "after": "anna.b", "decision": "follow", "call": null,
                "asked_by": { "system": "gitlab", "origin": "after.csv:2" }, "owner": "gitlab", "because": line,
                "reason": "mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be \
                           refused, owned_elsewhere: the username of this account comes from GitLab; change it there)",
                "belongs_to": "gitlab", "when": "at the next sign-in through GitLab"
            }
        ]);
        assert_eq!(plan["changes"], changes);
        let call = json!([{
            "id": "c1", "system": "gitlab", "person": "website/7", "account": "42", "operation": "update",
            "method": "PUT", "path": "/api/v4/users/42", "body": { "username": "anna.b" },
            "expects": { "username": "anna" }, "intends": { "username": "anna.b" }, "replay": "repeat", "after": []
        }]);
        assert_eq!(plan["calls"], call);
        let summary = json!({
            "people": 2, "changes": 1, "calls": 1, "unchanged": 1, "refused": 0, "held": 0, "follows": 1, "dropped": 0,
            "rejected": 0, "side_effects": { "gitlab": {
                "old addresses redirect until somebody takes them": 1, "the personal namespace and projects move": 1
            } }
        });
        assert_eq!(plan["summary"], summary);
        assert_eq!((world.writes("gitlab"), world.writes("mattermost")), (vec![], vec![]));

        world.json(0, &["apply", "--yes", INPUT]);
        assert_eq!(world.writes("gitlab"), [json!(["PUT", "/api/v4/users/42", { "username": "anna.b" }, 200])]);
        assert_eq!(world.writes("mattermost"), Vec::<Value>::new());
        let name = || world.state("mattermost")["users"][anna.as_str().unwrap()]["username"].clone();
        assert_eq!(name(), "anna");
        assert_eq!(world.homeward(&["lab", "login", "mattermost", "anna"]).status, 0);
        assert_eq!(name(), "anna.b");
        assert_eq!(changes_of(&world), Vec::<String>::new());
    }

    fn changes_of(world: &World) -> Vec<String> {
        changes(&world.json(0, &["plan", INPUT]))
    }

    #[test]
    fn whoever_signs_in_with_a_password_is_renamed_at_mattermost_alone() {
        let after = "id,username,email\n7,anna,anna@example.com\n8,benny,ben@example.com\n";
        let world = world(World::example("rename-through-gitlab").file("after.csv", after));
        assert_eq!(changes_of(&world), ["website/8 username mattermost apply ben → benny"]);
        world.json(0, &["apply", "--yes", INPUT]);
        assert_eq!(world.writes("gitlab"), Vec::<Value>::new());
        assert_eq!(world.user("mattermost", "username", "benny")["email"], "ben@example.com");
        assert_eq!(world.user("gitlab", "email", "ben@example.com")["username"], "ben.c");
    }

    #[test]
    fn a_name_that_gitlab_changed_meanwhile_is_not_undone_by_an_export_that_has_the_old_one() {
        let world = world(World::example("rename-through-gitlab"));
        world.lab("gitlab", "POST", "meddle/42", &json!({ "username": "anna.k" }));
        assert_eq!(changes(&world.json(0, &["plan", "website=before.csv"])), Vec::<String>::new());
    }

    #[test]
    fn without_the_first_line_the_rename_is_refused_before_anything_is_sent_as_mattermost_would() {
        let world = World::example("rename-through-gitlab");
        let rules = world.read("rules/ownership.rhai");
        let first = "owner(\"username\", \"gitlab\", |person| person.mattermost?.auth_service == \"gitlab\");\n";
        assert!(rules.contains(first));
        let world = super::rename_through_gitlab::world(world.file("rules/ownership.rhai", &rules.replace(first, "")));
        let anna = world.user("mattermost", "username", "anna")["id"].clone();

        let plan = world.json(0, &["plan", INPUT]);
        let refused = json!([{
            "person": "website/7", "attribute": "username", "system": "mattermost", "account": anna,
            "before": "anna", "after": "anna.b", "decision": "refuse", "call": null,
            "asked_by": { "system": "website", "origin": "after.csv:2" }, "owner": "mattermost",
            "because": [{ "rule": "rules/ownership.rhai:2:1", "text": "owner(\"username\", \"mattermost\");" }],
            "reason": "the username of this account comes from GitLab; change it there; it belongs to gitlab",
            "refusal": "owned_elsewhere", "belongs_to": "gitlab"
        }]);
        assert_eq!((plan["changes"].clone(), plan["calls"].clone()), (refused, json!([])));
        assert_eq!(outcomes(&world.json(4, &["apply", "--yes", INPUT])), Vec::<Value>::new());
        for system in ["gitlab", "mattermost"] {
            assert!(!world.asked(system).is_empty());
            assert_eq!(world.writes(system), Vec::<Value>::new());
        }

        let path = format!("/api/v4/users/{}/patch", anna.as_str().unwrap());
        let answer = world.ask("mattermost", "PUT", &path, &[], &json!({ "username": "anna.b" }));
        let mut body = answer.json();
        assert_eq!(body["request_id"].take().as_str().unwrap().len(), 26);
        let exact = json!({
            "id": "api.user.patch_user.login_provider_attribute_set.app_error",
            "message": "Field 'username' must be set through user's login provider.",
            "detailed_error": "", "request_id": null, "status_code": 409
        });
        assert_eq!((answer.status, body), (409, exact));
        assert_eq!(world.state("mattermost")["users"][anna.as_str().unwrap()]["username"], "anna");
    }
}

mod wordpress {
    use super::*;

    #[test]
    fn a_rename_and_a_new_address_go_to_whoever_owns_them_for_each_person() {
        let world = started(World::example("wordpress"));
        world.json(0, &["apply", "website"]);
        world.lab("website", "POST", "meddle/7", &json!({ "username": "Anna.B" }));
        world.lab("website", "POST", "meddle/8", &json!({ "email": "benjamin@example.com" }));
        let plan = world.json(0, &["plan", "website"]);
        assert_eq!(
            changes(&plan),
            [
                "website/7 username gitlab apply anna → anna.b",
                "website/7 username mattermost follow anna → anna.b",
                "website/8 email mattermost apply ben@example.com → benjamin@example.com",
            ]
        );
        assert_eq!(outcomes(&world.json(0, &["apply", "--yes", "website"])), ["done", "done"]);
        assert_eq!(world.user("mattermost", "username", "ben")["email"], "benjamin@example.com");
        assert_eq!(world.user("gitlab", "email", "ben@example.com")["username"], "ben.c");
        for _ in 0..2 {
            assert_eq!(outcomes(&world.json(0, &["apply", "--yes", "website"])), Vec::<Value>::new());
        }
    }
}

mod central_profile {
    use super::*;

    const INPUT: &str = "app=profiles.csv";

    fn world() -> World {
        started(World::example("central-profile"))
    }

    #[test]
    fn an_oauth_token_changes_profiles_and_its_no_to_addresses_is_foreseen() {
        let world = world();
        let plan = world.json(0, &["plan", INPUT]);
        assert_eq!(
            changes(&plan),
            [
                "app/1 email mattermost refuse ada@example.com → ada.new@example.com",
                "app/1 nickname mattermost apply null → Countess",
                "app/2 email gitlab apply ben@example.com → ben.new@example.com",
                "app/2 email mattermost follow ben@example.com → ben.new@example.com",
                "app/2 nickname mattermost apply null → Benny",
                // Cleo's address is what it is already, and passes without a word.
                "app/3 position mattermost apply Engineer → Lead",
            ]
        );
        let email = change(&plan, "app/1", "email", "mattermost");
        assert_eq!(email["refusal"], "forbidden");
        assert_eq!(
            email["reason"],
            "an OAuth2 application token may not change e-mail addresses, whatever the roles of its user; a personal access \
             token or bot token of an administrator may"
        );
        // The address was refused, the rest of the account is not.
        assert_eq!(outcomes(&world.json(4, &["apply", "--yes", INPUT])), ["done", "done", "done", "done"]);
        let ada = world.user("mattermost", "username", "ada");
        assert_eq!((&ada["email"], &ada["nickname"]), (&json!("ada@example.com"), &json!("Countess")));
    }

    #[test]
    fn an_administrators_token_changes_addresses_except_where_gitlab_keeps_them() {
        let world = world();
        let plan = world.json(0, &["-c", "admin.toml", "plan", INPUT]);
        let sent = [
            "app/1 email mattermost apply ada@example.com → ada.new@example.com",
            "app/1 nickname mattermost apply null → Countess",
            "app/2 email gitlab apply ben@example.com → ben.new@example.com",
            "app/2 email mattermost follow ben@example.com → ben.new@example.com",
            "app/2 nickname mattermost apply null → Benny",
            "app/3 position mattermost apply Engineer → Lead",
        ];
        assert_eq!(changes(&plan), sent);
        let follow = change(&plan, "app/2", "email", "mattermost");
        assert_eq!(
            follow["reason"],
            "mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be doomed: \
             Mattermost answers 200 and keeps the address of an account that signs in through GitLab; change it in GitLab)"
        );
        assert_eq!(follow["when"], "at the next sign-in through GitLab");
        // What one request can carry is one call.
        let ada = world.user("mattermost", "username", "ada")["id"].as_str().unwrap().to_owned();
        assert_eq!(plan["calls"][0]["path"], format!("/api/v4/users/{ada}/patch"));
        assert_eq!(plan["calls"][0]["body"], json!({ "email": "ada.new@example.com", "nickname": "Countess" }));
        assert_eq!(plan["calls"].as_array().unwrap().len(), 4);

        assert_eq!(outcomes(&world.json(0, &["-c", "admin.toml", "apply", "--yes", INPUT])), ["done"; 4]);
        assert_eq!(world.user("mattermost", "username", "ada")["email"], "ada.new@example.com");
        assert_eq!(world.user("gitlab", "username", "ben")["email"], "ben.new@example.com");
        assert_eq!(world.user("mattermost", "username", "ben")["email"], "ben@example.com");
        assert_eq!(world.homeward(&["lab", "login", "mattermost", "ben"]).status, 0);
        assert_eq!(world.user("mattermost", "username", "ben")["email"], "ben.new@example.com");
        assert_eq!(changes(&world.json(0, &["-c", "admin.toml", "plan", INPUT])), Vec::<String>::new());
    }

    #[test]
    fn without_a_copy_at_gitlab_the_address_of_a_gitlab_login_is_refused_as_ineffective() {
        let world = World::example("central-profile");
        let rules = world.read("rules/profile.rhai");
        let with = "copies([\"username\", \"email\"], [\"gitlab\", \"mattermost\"]);";
        assert!(rules.contains(with));
        let without = rules.replace(with, "copies([\"username\", \"email\"], \"mattermost\");");
        let world = started(world.file("rules/profile.rhai", &without));
        let plan = world.json(0, &["-c", "admin.toml", "plan", INPUT]);
        let email = change(&plan, "app/2", "email", "mattermost");
        assert_eq!(
            ["decision", "refusal", "belongs_to", "reason"].map(|key| email[key].as_str().unwrap()),
            [
                "refuse",
                "ineffective",
                "gitlab",
                "doomed: Mattermost answers 200 and keeps the address of an account that signs in through GitLab; change it \
                 in GitLab; it belongs to gitlab"
            ]
        );
        world.json(4, &["-c", "admin.toml", "apply", "--yes", INPUT]);
        assert_eq!(world.writes("gitlab"), Vec::<Value>::new());
        assert_eq!(world.user("mattermost", "username", "ben")["email"], "ben@example.com");
    }
}

mod zitadel_username {
    use super::*;

    /// A lab of this version, and a website that has been seen once.
    fn world(version: &str) -> World {
        let world = started(World::example("zitadel-username"));
        world.lab("zitadel", "POST", "settings", &json!({ "version": version }));
        world.json(0, &["apply", "website=monday.csv"]);
        world.forget(&["zitadel"]);
        world
    }

    fn path(world: &World, before: &str, user: &str, after: &str) -> String {
        format!("{before}{}{after}", world.user("zitadel", "username", user)["id"].as_str().unwrap())
    }

    #[test]
    fn a_new_server_is_asked_through_update_user_and_a_name_that_is_there_already_is_no_call() {
        let world = world("4.13.0");
        let path = path(&world, "/v2/users/", "eva", "");
        let plan = world.json(0, &["plan", "website=tuesday.csv"]);
        assert_eq!(changes(&plan), ["website/1 username zitadel apply eva → eva.k"]);
        assert_eq!(plan["warnings"], json!([]));
        world.json(0, &["apply", "--yes", "website=tuesday.csv"]);
        let body = json!({ "username": "eva.k", "human": {} });
        assert_eq!(world.writes("zitadel"), [json!(["PATCH", path, body, 200])]);
        assert_eq!(world.user("zitadel", "email", "eva@example.com")["username"], "eva.k");
    }

    #[test]
    fn a_server_of_the_third_version_is_asked_through_the_deprecated_call_with_a_warning() {
        let world = world("3.2.1");
        let path = path(&world, "/v2/users/human/", "eva", "");
        let plan = world.json(0, &["plan", "website=tuesday.csv"]);
        assert_eq!(
            plan["warnings"],
            json!([
                "zitadel: the server is older than ZITADEL 4 (or a proxy hides `/zitadel.user.v2.UserService/`): users \
                    are changed through UpdateHumanUser, which ZITADEL has deprecated; upgrade when you can"
            ])
        );
        assert_eq!(plan["calls"][0]["path"], path.as_str());
        world.json(0, &["apply", "--yes", "website=tuesday.csv"]);
        assert_eq!(world.writes("zitadel"), [json!(["PUT", path, { "username": "eva.k" }, 200])]);
        assert_eq!(world.user("zitadel", "email", "eva@example.com")["username"], "eva.k");
    }

    #[test]
    fn an_older_server_is_asked_through_management_v1_with_a_warning() {
        let world = world("2.30.0");
        let path = path(&world, "/management/v1/users/", "eva", "/username");
        let plan = world.json(0, &["plan", "website=tuesday.csv"]);
        assert_eq!(plan["warnings"].as_array().unwrap().len(), 1, "{}", plan["warnings"]);
        world.json(0, &["apply", "--yes", "website=tuesday.csv"]);
        assert_eq!(world.writes("zitadel"), [json!(["PUT", path, { "userName": "eva.k" }, 200])]);
        assert_eq!(world.user("zitadel", "email", "eva@example.com")["username"], "eva.k");
    }

    #[test]
    fn a_name_that_somebody_else_has_in_any_letter_case_is_refused_before_it_is_sent() {
        for version in ["4.13.0", "3.2.1", "2.30.0"] {
            let world = world(version);
            world.json(0, &["apply", "--yes", "website=tuesday.csv"]);
            world.forget(&["zitadel"]);
            let plan = world.json(0, &["plan", "website=taken.csv"]);
            assert_eq!(changes(&plan), ["website/3 username zitadel refuse gus → Eva.K"]);
            let taken = change(&plan, "website/3", "username", "zitadel");
            let eva = world.user("zitadel", "username", "eva.k")["id"].as_str().unwrap().to_owned();
            assert_eq!(taken["refusal"], "taken");
            let told = taken["reason"].as_str().unwrap();
            let start = format!("account {eva} at zitadel has this `username` already; this person's is ");
            assert!(told.starts_with(&start), "{told}");
            world.json(4, &["apply", "--yes", "website=taken.csv"]);
            assert_eq!(world.writes("zitadel"), Vec::<Value>::new());
        }
    }
}

mod hr_feed {
    use super::*;

    const SYSTEMS: [&str; 3] = ["gitlab", "mattermost", "zitadel"];

    /// What a change in a column of HR is at the providers.
    fn wanted(person: &str, column: &str, values: &Value, full_names: (&str, &str)) -> Vec<String> {
        let line = |attribute: &str, system: &str, before: &str, after: &str| {
            format!("hr/{person} {attribute} {system} apply {before} → {after}")
        };
        let (before, after) = (values[0].as_str().unwrap(), values[1].as_str().unwrap());
        let everywhere = |attribute: &str, before: &str, after: &str| -> Vec<String> {
            SYSTEMS.iter().map(|system| line(attribute, system, before, after)).collect()
        };
        match column {
            "username" | "email" => everywhere(column, before, after),
            "status" if after == "Terminated" => everywhere("active", "true", "false"),
            "last_name" => vec![
                line("last_name", "mattermost", before, after),
                line("last_name", "zitadel", before, after),
                line("display_name", "gitlab", full_names.0, full_names.1),
                line("display_name", "zitadel", full_names.0, full_names.1),
            ],
            "job_title" => vec![line("position", "mattermost", before, after)],
            // Who is on leave works here; a last day to come is not today; and nobody copies the others.
            "status" | "termination_date" | "department" | "manager_id" | "location" => Vec::new(),
            other => panic!("the samples have a new column: {other}"),
        }
    }

    /// The names of a day's people, first and last, by employee id.
    fn full_name(world: &World, file: &str, person: &str) -> String {
        let text = world.read(file);
        let row = text.lines().find(|line| line.starts_with(person)).unwrap();
        let cells: Vec<&str> = row.split(',').collect();
        format!("{} {}", cells[1].trim(), cells[2].trim())
    }

    #[test]
    fn the_second_night_changes_exactly_those_of_whom_something_relevant_changed() {
        let world = started(World::example("hr-feed"));
        let day = |today: &'static str, command: &'static [&'static str]| {
            let mut all = vec!["--today", today];
            all.extend(command);
            world.json(0, &all)
        };
        let first = day("2026-11-19", &["apply", "--yes", "hr=day1.csv"]);
        assert_eq!(outcomes(&first), vec!["done"; 1500]);
        for system in SYSTEMS {
            // Beside the five hundred: the administrator, and the bots and service users of the lab.
            let made = world.users(system).into_iter().filter(|user| {
                user["email"].as_str().is_some_and(|email| world.read("day1.csv").contains(&format!(",{email},")))
            });
            assert_eq!(made.count(), 500, "{system}");
        }
        let again = day("2026-11-19", &["apply", "--yes", "hr=day1.csv"]);
        assert_eq!(outcomes(&again), Vec::<Value>::new());

        let facts: Value = serde_json::from_str(include_str!("samples/hr-days.json")).unwrap();
        let mut expected = BTreeSet::new();
        for (person, columns) in facts["changed"].as_object().unwrap() {
            for (column, values) in columns.as_object().unwrap() {
                let (old, new) = (full_name(&world, "day1.csv", person), full_name(&world, "day2.csv", person));
                expected.extend(wanted(person, column, values, (&old, &new)));
            }
        }
        let second = day("2026-11-20", &["plan", "hr=day2.csv"]);
        let planned = changes(&second);
        assert_eq!(planned.iter().cloned().collect::<BTreeSet<_>>(), expected);
        assert_eq!(planned.len(), expected.len());
        let people: BTreeSet<&str> = planned.iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(people.len(), 22);
        let summary = json!({
            "people": 509, "changes": 74, "calls": 60, "unchanged": 487, "refused": 0, "held": 0, "follows": 0,
            "dropped": 0, "rejected": 0, "side_effects": side_effects(&second)
        });
        assert_eq!(second["summary"], summary);
        assert_eq!(second["summary"]["side_effects"]["mattermost"]["mail to the old address"], 7);

        assert_eq!(outcomes(&day("2026-11-20", &["apply", "--yes", "hr=day2.csv"])), vec!["done"; 60]);
        assert_eq!(changes(&day("2026-11-20", &["plan", "hr=day2.csv"])), Vec::<String>::new());

        // Three days later twelve of the thirteen newcomers begin; one begins in January.
        let monday = day("2026-11-23", &["plan", "hr=day2.csv"]);
        let made: BTreeSet<String> = monday["calls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|call| {
                assert_eq!(call["operation"], "create");
                format!("{} {}", call["person"].as_str().unwrap(), call["system"].as_str().unwrap())
            })
            .collect();
        let newcomers = facts["added"].as_array().unwrap().iter().filter(|person| **person != "005042");
        let starting = newcomers.flat_map(|person| SYSTEMS.map(|it| format!("hr/{} {it}", person.as_str().unwrap())));
        assert_eq!(made, starting.collect());
        assert_eq!(made.len(), 36);
    }
}

mod scim {
    use super::*;

    #[test]
    fn people_are_found_by_their_external_id_or_name_and_one_plan_makes_them_as_hr_says() {
        let world = started(World::example("scim"));
        let plan = world.json(0, &["plan", "hr=people.csv"]);
        let all = changes(&plan);
        for line in [
            "hr/1 username directory apply anna → anna.m",
            "hr/2 directory.groups[Guides] directory apply null → member",
            "hr/3 active directory apply true → false",
        ] {
            assert!(all.iter().any(|one| one == line), "{line}: {all:#?}");
        }
        assert_eq!(plan["summary"]["side_effects"], Value::Null);
        world.json(0, &["apply", "--yes", "hr=people.csv"]);
        let fields = |name: &str| {
            let user = world.user("directory", "userName", name);
            json!([user["externalId"], user["name"]["familyName"], user["active"]])
        };
        assert_eq!(fields("anna.m"), json!(["1", "Meyer", true]));
        assert_eq!(fields("bea"), json!(["2", "Roe", true]));
        assert_eq!(fields("cem"), json!(["3", "Kaya", false]));
        assert_eq!(fields("dora"), json!(["4", "Lind", true]));
    }
}
