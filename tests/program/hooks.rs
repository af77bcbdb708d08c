//! What rules say to single changes and to whole plans: routes, refusals, guards; and the modules they share.

use crate::common::{World, in_one_line};

/// A website that says changes, a GitLab, and a Mattermost where anna signs in through GitLab.
fn world(rules: &str) -> World {
    World::example("rename-through-gitlab")
        .file("rules/ownership.rhai", rules)
        .file("before.csv", "id,username,email\n1,anna,anna@example.com\n2,ben,ben@example.com\n")
        .file("after.csv", "id,username,email\n1,anna.b,anna@example.com\n2,ben,ben@example.org\n")
}

/// What most rules here begin with.
const COMMON: &str = r#"owner("username", "mattermost");
owner("email", "website");
copies("email", ["gitlab", "mattermost"]);
source("website", |user| #{ key: user.id, username: user.username.lower(), email: user.email.lower() });
join("gitlab", ["email"]);
join("mattermost", ["email"]);
"#;

/// The same project with its lab, and `before.csv` seen.
fn begun(rules: &str) -> World {
    let mut world = world(COMMON);
    world.start_lab(&[]);
    let ran = world.homeward(&["--lab", "apply", "--yes", "website=before.csv"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    world.file("rules/ownership.rhai", &format!("{COMMON}{rules}"))
}

fn told(world: &World, arguments: &[&str]) -> String {
    let ran = world.homeward(arguments);
    format!("{}-- stderr\n{}-- exit {}", ran.stdout, ran.stderr, ran.status)
}

fn writes(world: &World) -> Vec<String> {
    let asked = ["gitlab", "mattermost"].into_iter().flat_map(|system| world.asked(system));
    asked
        .filter(|line| !line.starts_with("GET") && !line.ends_with("/users/ids") && !line.ends_with("/usernames"))
        .collect()
}

#[test]
fn a_refusal_is_sent_where_a_rule_says_and_the_copy_follows() {
    let world = begun(
        "refused(\"mattermost\", |change, refusal| if refusal.kind == \"owned_elsewhere\" { to(\"gitlab\") });\n",
    );
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "website=after.csv"]), @r#"
    website/1
      apply  username gitlab     anna → anna.b                      c1
             a rule sends it to gitlab (rules/ownership.rhai:7:1)
             the personal namespace and projects move; old addresses redirect until somebody takes them
      follow username mattermost anna → anna.b
             mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be refused,
             owned_elsewhere: the username of this account comes from GitLab; change it there)

    website/2
      apply  email    gitlab     ben@example.com → ben@example.org  c2
             a copy of what website says (rules/ownership.rhai:2:1)
             GitLab writes to the old address, which stays with the account as a secondary one
      apply  email    mattermost ben@example.com → ben@example.org  c3
             a copy of what website says (rules/ownership.rhai:2:1)
             mail to the old address; the new one counts as unverified

    system      update  calls  follow
    gitlab           2      2       ·
    mattermost       1      1       1

    Also at gitlab: 1 × GitLab writes to the old address, which stays with the account as a secondary one
    Also at gitlab: 1 × old addresses redirect until somebody takes them
    Also at gitlab: 1 × the personal namespace and projects move
    Also at mattermost: 1 × mail to the old address
    Also at mattermost: 1 × the new one counts as unverified
    Plan: 3 changes in 3 calls, 0 of 2 people unchanged, 1 will follow.
    -- stderr
    read 2 systems in 14 requests
    -- exit 0
    "#);
    let ran = world.homeward(&["--lab", "apply", "--yes", "website=after.csv"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(world.homeward(&["--lab", "lab", "login", "mattermost", "anna"]).status, 0);
    for system in ["gitlab", "mattermost"] {
        let state = world.state(system).to_string();
        assert!(state.contains("\"username\":\"anna.b\""), "{system}: {state}");
    }
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "website=after.csv"]), @r#"
    Plan: 0 changes in 0 calls, 2 of 2 people unchanged.
    -- stderr
    read 2 systems in 8 requests
    note: `username` of mattermost bzxmqpiadzg9xtp5memxxu5hrq has come as expected, after run 2
    -- exit 0
    "#);
}

#[test]
fn a_route_holds_drops_and_sends_single_changes() {
    let world = begun(
        r#"route(|change| if change.attribute == "username" && change.account?.auth_service == "gitlab" {
    hold(`${change.from} signs in through GitLab: look first`)
});
route(|change| if change.attribute == "email" && change.system == "gitlab" && change.to.ends_with("@example.org") {
    drop("legacy domain")
});
route(|change| if change.attribute == "email" { to(["mattermost", "gitlab"]) });
"#,
    );
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "website=after.csv"]), @r#"
    website/1
      hold   username mattermost anna → anna.b
             anna signs in through GitLab: look first (rules/ownership.rhai:7:1)

    website/2
      drop   email    gitlab     ben@example.com → ben@example.org
             legacy domain (rules/ownership.rhai:10:1)
      apply  email    mattermost ben@example.com → ben@example.org  c1
             a copy of what website says (rules/ownership.rhai:2:1)
             mail to the old address; the new one counts as unverified

    system      update  calls  held
    mattermost       1      1     1

    Also at mattermost: 1 × mail to the old address
    Also at mattermost: 1 × the new one counts as unverified
    Plan: 1 change in 1 call, 0 of 2 people unchanged, 1 held, 1 dropped.
    -- stderr
    read 2 systems in 14 requests
    -- exit 0
    "#);
}

#[test]
fn what_is_sent_to_two_systems_is_made_at_both() {
    let world = begun("route(|change| if change.system == \"mattermost\" { to([\"gitlab\", \"website\"]) });\n");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "website=after.csv"]), @r#"
    website/1
      apply  username gitlab     anna → anna.b                      c1
             a rule sends it to gitlab (rules/ownership.rhai:7:1)
             the personal namespace and projects move; old addresses redirect until somebody takes them
      follow username mattermost anna → anna.b
             mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be refused,
             owned_elsewhere: the username of this account comes from GitLab; change it there)
      refuse username website    anna.b → anna.b
             owned_elsewhere: `username` goes to website (rules/ownership.rhai:7:1), which is a source: change it there

    website/2
      apply  email    gitlab     ben@example.com → ben@example.org  c2
             a copy of what website says (rules/ownership.rhai:2:1)
             GitLab writes to the old address, which stays with the account as a secondary one
      drop   email    mattermost ben@example.com → ben@example.org
             it goes to gitlab and website instead (rules/ownership.rhai:7:1)
      refuse email    website    ben@example.org → ben@example.org
             owned_elsewhere: `email` goes to website (rules/ownership.rhai:7:1), which is a source: change it there

    system      update  calls  follow  refused
    gitlab           2      2       ·        ·
    mattermost       ·      ·       1        ·
    website          ·      ·       ·        2

    Also at gitlab: 1 × GitLab writes to the old address, which stays with the account as a secondary one
    Also at gitlab: 1 × old addresses redirect until somebody takes them
    Also at gitlab: 1 × the personal namespace and projects move
    Plan: 2 changes in 2 calls, 0 of 2 people unchanged, 1 will follow, 2 refused, 1 dropped.
    -- stderr
    read 2 systems in 14 requests
    -- exit 0
    "#);
}

#[test]
fn a_guard_stops_a_whole_plan_before_anything_is_sent() {
    let world = begun(
        r#"guard(|plan| if plan.count("mattermost", "email") > 0 { hold("nobody's address changes today") });
guard(|plan| if plan.calls.len() > 100 { hold("too many calls") });
guard(|plan| if plan.summary.people == 2 && plan.changes[1].decision == "apply" { hold("a second reason") });
"#,
    );
    let before = writes(&world);
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "--yes", "website=after.csv"]), @r#"
    website/1
      refuse username mattermost anna → anna.b
             owned_elsewhere: the username of this account comes from GitLab; change it there; it belongs to gitlab

    website/2
      apply  email    gitlab     ben@example.com → ben@example.org  c1
             a copy of what website says (rules/ownership.rhai:2:1)
             GitLab writes to the old address, which stays with the account as a secondary one
      apply  email    mattermost ben@example.com → ben@example.org  c2
             a copy of what website says (rules/ownership.rhai:2:1)
             mail to the old address; the new one counts as unverified

    system      update  calls  refused
    gitlab           1      1        ·
    mattermost       1      1        1

    Also at gitlab: 1 × GitLab writes to the old address, which stays with the account as a secondary one
    Also at mattermost: 1 × mail to the old address
    Also at mattermost: 1 × the new one counts as unverified
    Plan: 2 changes in 2 calls, 0 of 2 people unchanged, 1 refused.
    -- stderr
    read 2 systems in 14 requests
      × a rule holds this plan: nobody's address changes today (rules/ownership.rhai:7:1)
      help: the line is `guard(|plan| if plan.count("mattermost", "email") > 0 { hold("nobody's address changes
            today") });`; look at the plan first, then at the rule

      × a rule holds this plan: a second reason (rules/ownership.rhai:9:1)
      help: the line is `guard(|plan| if plan.summary.people == 2 && plan.changes[1].decision == "apply" { hold("a second
            reason") });`; look at the plan first, then at the rule
    held as run 2: carry it out with `homeward --lab approve 2`, or drop it with `homeward --lab reject 2`
    -- exit 6
    "#);
    assert_eq!(writes(&world), before);
    // A saved plan is judged again, by the rules of that day.
    assert_eq!(world.homeward(&["--lab", "plan", "--out", "plan.json", "website=after.csv"]).status, 6);
    assert_eq!(world.homeward(&["--lab", "apply", "--yes", "plan.json"]).status, 6);
    assert_eq!(writes(&world), before);
}

#[test]
fn a_route_that_cannot_read_one_change_holds_that_person_and_no_other() {
    let world = begun("route(|change| if change.attribute == \"username\" { throw \"no idea\" });\n");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "website=after.csv"]), @r#"
    website/1
      hold   username website    anna.b → anna.b
             a rule failed (rules/ownership.rhai:7:52): the rule says: no idea

    website/2
      apply  email    gitlab     ben@example.com → ben@example.org  c1
             a copy of what website says (rules/ownership.rhai:2:1)
             GitLab writes to the old address, which stays with the account as a secondary one
      apply  email    mattermost ben@example.com → ben@example.org  c2
             a copy of what website says (rules/ownership.rhai:2:1)
             mail to the old address; the new one counts as unverified

    system      update  calls  held
    gitlab           1      1     ·
    mattermost       1      1     ·
    website          ·      ·     1

    Also at gitlab: 1 × GitLab writes to the old address, which stays with the account as a secondary one
    Also at mattermost: 1 × mail to the old address
    Also at mattermost: 1 × the new one counts as unverified
    Plan: 2 changes in 2 calls, 0 of 2 people unchanged, 1 held.
    -- stderr
    read 2 systems in 14 requests
    -- exit 0
    "#);
}

#[test]
fn a_route_may_ask_of_any_account_what_only_some_systems_know() {
    let plain = begun("");
    let expected = plain.homeward(&["--lab", "plan", "--format", "json", "website=after.csv"]).stdout;
    let changes = |told: &str| serde_json::from_str::<serde_json::Value>(told).unwrap()["changes"].clone();
    // Who is an administrator is known of GitLab, and what somebody signs in with of Mattermost.
    for name in ["is_admin", "auth_service", "note"] {
        let world = begun(&format!("route(|change| if change.account?.{name} == \"x\" {{ hold(\"look first\") }});\n"));
        let ran = world.homeward(&["--lab", "plan", "--format", "json", "website=after.csv"]);
        assert_eq!(ran.status, 0, "{name}: {}", ran.stderr);
        assert_eq!(changes(&ran.stdout), changes(&expected), "{name}");
    }
    let world = begun("route(|change| if change.account?.is_admn == true { hold(\"look first\") });\n");
    let ran = world.homeward(&["--lab", "plan", "website=after.csv"]);
    assert!(ran.status != 0 && ran.stderr.contains("is_admin"), "{}", ran.stderr);
}

#[test]
fn a_route_that_is_wrong_stops_the_run_with_its_place() {
    for (rule, said) in [
        (
            "route(|change| 1);",
            "what the function of `route` returns must be `to(…)`, `hold(…)`, `drop(…)`, or nothing",
        ),
        ("route(|change| if change.atribute == \"x\" { });", "did you mean `attribute`?"),
        ("route(|change| to(\"gitlap\"));", "did you mean `gitlab`?"),
        ("route(|change| hold(\" \"));", "the reason of `hold` must be text in quotes, but is blank"),
        ("guard(|plan| to(\"gitlab\"));", "what the function of `guard` returns must be `hold(…)` or ()"),
        ("guard(|plan| if plan.count(\"gitlab\", \"usrname\") > 0 { hold(\"x\") });", "did you mean `username`?"),
        ("guard(|plan| if plan.cals.len() > 0 { hold(\"x\") });", "did you mean `calls`?"),
        ("refused(\"mattermost\", |change, refusal| if refusal.kin == \"x\" { });", "did you mean `kind`?"),
    ] {
        let world = begun(&format!("{rule}\n"));
        let ran = world.homeward(&["--lab", "plan", "website=after.csv"]);
        assert_eq!(ran.status, 2, "{rule}: {}", ran.stderr);
        let flat = in_one_line(&ran.stderr);
        assert!(flat.contains(said), "{rule}: {}", ran.stderr);
        assert!(ran.stderr.contains("[rules/ownership.rhai:7:"), "{rule}: {}", ran.stderr);
    }
}

#[test]
fn a_held_change_keeps_a_new_account_from_being_made_and_a_dropped_one_is_left_out() {
    let rules = |route: &str| {
        format!(
            "owner([\"username\", \"email\", \"first_name\"], \"website\");\naccount(\"mattermost\");\n\
             copies([\"username\", \"email\", \"first_name\"], \"mattermost\");\njoin(\"mattermost\", \"email\");\n\
             source(\"website\", |row| #{{ key: row.id, username: row.username, email: row.email, first_name: row.first }});\n{route}\n"
        )
    };
    let made = |route: &str| {
        let toml = "[systems.mattermost]\nkind = \"mattermost\"\nurl = \"https://chat.example.com\"\n\
                    token = { env = \"TOKEN\" }\n\n[systems.website]\nkind = \"csv\"\nkey = \"id\"\n";
        let world = World::new().file("homeward.toml", toml).file("rules/a.rhai", &rules(route));
        world.write("new.csv", b"id,username,email,first\n9,zoe,zoe@example.com,Zoe\n");
        told(&world, &["--lab", "plan", "website=new.csv"])
    };
    insta::assert_snapshot!(made("route(|change| if change.attribute == \"first_name\" { hold(\"who is she?\") });"), @r#"
    website/9
      hold   first_name mattermost (empty) → Zoe  who is she? (rules/a.rhai:6:1)

    system      held
    mattermost     1

    Plan: 0 changes in 0 calls, 0 of 1 person unchanged, 1 held.
    -- stderr
    read 1 system in 4 requests
    -- exit 0
    "#);
    insta::assert_snapshot!(made("route(|change| if change.attribute == \"first_name\" { drop(\"private\") });"), @r#"
    website/9
      apply  email      mattermost (empty) → zoe@example.com  c1
             a new account (rules/a.rhai:2:1)
      drop   first_name mattermost (empty) → Zoe
             private (rules/a.rhai:6:1)
      apply  username   mattermost (empty) → zoe              c1
             a new account (rules/a.rhai:2:1)

    system      create  calls
    mattermost       1      1

    Plan: 2 changes in 1 call, 0 of 1 person unchanged, 1 dropped.
    -- stderr
    read 1 system in 4 requests
    -- exit 0
    "#);
}

#[test]
fn modules_share_constants_and_functions_and_nothing_else_is_loaded() {
    let world = world(&format!("import \"names\" as n;\nimport \"lib/people\" as people;\n{COMMON}{}", r#"
route(|change| if n::legacy(change.to) { drop(`${n::DOMAIN} is no more`) } else if people::is_guest(change.person) { hold("a guest") });
"#))
    .file("rules/lib/names.rhai", "const DOMAIN = \"@example.org\";\nfn legacy(text) { text.ends_with(DOMAIN) }\n")
    .file("rules/lib/people.rhai", "import \"names\" as n;\nfn is_guest(person) { person.mattermost?.email == `ben${n::DOMAIN}` }\n");
    let mut world = world;
    world.start_lab(&[]);
    assert_eq!(world.homeward(&["--lab", "apply", "--yes", "website=before.csv"]).status, 0);
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "website=after.csv"]), @r#"
    website/1
      refuse username mattermost anna → anna.b
             owned_elsewhere: the username of this account comes from GitLab; change it there; it belongs to gitlab

    website/2
      drop   email    gitlab     ben@example.com → ben@example.org
             @example.org is no more (rules/ownership.rhai:10:1)
      drop   email    mattermost ben@example.com → ben@example.org
             @example.org is no more (rules/ownership.rhai:10:1)

    system      refused
    mattermost        1

    Plan: 0 changes in 0 calls, 0 of 2 people unchanged, 1 refused, 2 dropped.
    -- stderr
    read 2 systems in 14 requests
    -- exit 0
    "#);
}

#[test]
fn an_import_leads_to_the_folder_of_modules_and_nowhere_else() {
    for path in ["../secret", "lib/../../secret", "/etc/passwd", "names.rhai", "lib/", "", "ownership", "deeper/names"]
    {
        let world = world(&format!("import \"{path}\" as it;\n{COMMON}"))
            .file("rules/lib/names.rhai", "const A = 1;\n")
            .file("secret.rhai", "const A = 1;\n")
            .file("rules/lib/deeper/names.rhai", "const A = 1;\n");
        let ran = world.homeward(&["check"]);
        assert_eq!(ran.status, 2, "{path}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("there is no module `{path}` in the folder `lib`")),
            "{path}: {}",
            ran.stderr
        );
    }
}

#[test]
fn every_fault_of_modules_is_told_with_its_place() {
    let world = world(&format!("import \"names\" as n;\n{COMMON}route(|change| n::legac(change.to));\n"))
        .file("rules/lib/names.rhai", "const DOMAIN = \"x\";\nfn legacy(DOMAIN) { DOMAIN }\n")
        .file("rules/lib/declares.rhai", "owner(\"email\", \"gitlab\");\n")
        .file("rules/lib/a.rhai", "import \"b\" as b;\nfn x() { b::y() }\n")
        .file("rules/lib/b.rhai", "import \"a\" as a;\nfn y() { a::x() }\n")
        .file("rules/lib/broken.rhai", "fn z( { }\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × the module `a` imports itself
       ╭─[rules/lib/a.rhai:1:1]
     1 │ import "b" as b;
       · ──────
     2 │ fn x() { b::y() }
       ╰────

      × the module `b` imports itself
       ╭─[rules/lib/b.rhai:1:1]
     1 │ import "a" as a;
       · ──────
     2 │ fn y() { a::x() }
       ╰────

      × expecting ')' to close the parameters list of function 'z'
       ╭─[rules/lib/broken.rhai:1:7]
     1 │ fn z( { }
       ·       ─
       ╰────
      help: the place is the first that cannot be right; what is missing belongs just before it

      × `owner` is a declaration, and a module declares nothing
       ╭─[rules/lib/declares.rhai:1:1]
     1 │ owner("email", "gitlab");
       · ─────
       ╰────
      help: move it to a file directly in the folder of the rules

      × an argument is called `DOMAIN`, as a constant of the same module is
       ╭─[rules/lib/names.rhai:2:4]
     1 │ const DOMAIN = "x";
     2 │ fn legacy(DOMAIN) { DOMAIN }
       ·    ──────
       ╰────
      help: give one of the two another name
    -- exit 2
    "#);
}

#[test]
fn a_fault_in_a_module_is_shown_there_and_one_in_its_use_is_shown_here() {
    let shown = |module: &str, rule: &str| {
        let mut world =
            world(&format!("{COMMON}import \"names\" as n;\n{rule}\n")).file("rules/lib/names.rhai", module);
        world.start_lab(&[]);
        assert_eq!(world.homeward(&["--lab", "apply", "--yes", "website=before.csv"]).status, 0);
        told(&world, &["--lab", "plan", "website=after.csv"])
    };
    insta::assert_snapshot!(shown("fn old(text) {\n    text.nds_with(\"x\")\n}\n", "route(|change| if n::old(change.to) { });"), @r#"
    -- stderr
      × unknown function `nds_with` (on after.csv:2)
       ╭─[rules/lib/names.rhai:2:10]
     1 │ fn old(text) {
     2 │     text.nds_with("x")
       ·          ────────
     3 │ }
       ╰────
      help: did you mean `ends_with`?
    -- exit 2
    "#);
    insta::assert_snapshot!(shown("fn old(text) { false }\n", "route(|change| if n::olt(change.to) { });"), @r#"
    -- stderr
      × unknown function `n::olt` (on after.csv:2)
       ╭─[rules/ownership.rhai:8:22]
     7 │ import "names" as n;
     8 │ route(|change| if n::olt(change.to) { });
       ·                      ───
       ╰────
      help: did you mean `n::old`?
    -- exit 2
    "#);
}

#[test]
fn the_rules_of_the_design_load_as_they_are_written() {
    let world = World::new()
        .file(
            "homeward.toml",
            r#"
[systems.mattermost]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "MATTERMOST_TOKEN" }

[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }

[systems.zitadel]
kind = "zitadel"
url = "https://id.example.com"
token = { env = "ZITADEL_TOKEN" }
organization = "1"

[systems.website]
kind = "csv"
key = "id"
says = "changes"

[systems.hr]
kind = "csv"
key = "employee_id"
"#,
        )
        .file(
            "rules/all.rhai",
            r#"owner("username", "gitlab", |person| person.mattermost?.auth_service == "gitlab");
owner("username", "mattermost");
owner("email", "zitadel");
owner(["first_name", "last_name", "department", "active"], "hr");
copies("email", ["gitlab", "mattermost"]);
source("hr", |row| #{
    key: row.employee_id,
    email: row.email.lower(),
    first_name: row.first_name,
    last_name: row.last_name,
    active: row.status == "Active",
});
source("website", |user| #{ key: user.id, email: user.email, username: user.username });
join("gitlab", ["email", "username"]);
account("mattermost", |person| person.active);
route(|change| {
    if change.attribute == "username" && change.person.gitlab?.is_admin == true { hold("an administrator: look first") }
    else if change.to.ends_with("@example.org") { drop("legacy domain") }
});
refused("mattermost", |change, refusal| if refusal.kind == "owned_elsewhere" { to("gitlab") });
guard(|plan| if plan.count("gitlab", "active") > 10 { hold("more than ten people would lose GitLab") });
test("a GitLab login renames in GitLab", || {
    let plan = given(#{ mattermost: #{ auth_service: "gitlab", username: "anna" }, gitlab: #{ username: "anna" } })
        .when("website", #{ id: 7, username: "anna.b", email: "anna@example.com" });
    assert_eq(plan.calls.len(), 1);
    assert_eq(plan.calls[0].system, "gitlab");
});
"#,
        );
    let ran = world.homeward(&["check"]);
    assert_eq!(
        (ran.status, ran.stdout.contains("5 systems, 4 owner lines")),
        (0, true),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    // An address that goes, a truth value and a text: the predicate about texts answers for each of them.
    world.write("hr.csv", b"employee_id,email,first_name,last_name,status\n1,a@example.org,Ann,Berg,Active\n");
    let ran = world.homeward(&["--lab", "plan", "hr=hr.csv"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn what_would_follow_still_follows_where_its_copy_is_sent_on() {
    // HR's word counts; Mattermost would refuse the copy, and a rule sends it to GitLab, from where it comes by itself.
    let rules = COMMON.replace(
        "owner(\"username\", \"mattermost\");",
        "owner(\"username\", \"website\");\ncopies(\"username\", \"mattermost\");",
    );
    let mut world = world(&rules);
    world.start_lab(&[]);
    assert_eq!(world.homeward(&["--lab", "apply", "--yes", "website=before.csv"]).status, 0);
    let world = world.file(
        "rules/ownership.rhai",
        &format!("{rules}refused(\"mattermost\", |change, refusal| if refusal.kind == \"owned_elsewhere\" {{ to(\"gitlab\") }});\n"),
    );
    let ran = world.homeward(&["--lab", "plan", "--format", "json", "website=after.csv"]);
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let of_username = |one: &&serde_json::Value| one["attribute"] == "username";
    let told: Vec<String> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of_username)
        .map(|one| format!("{} {}", one["decision"].as_str().unwrap(), one["system"].as_str().unwrap()))
        .collect();
    assert_eq!(told, ["apply gitlab", "follow mattermost"]);
}

#[test]
fn a_change_that_is_sent_here_and_elsewhere_has_one_row_at_each() {
    let world = begun(
        "route(|change| if change.attribute == \"email\" { to([change.system, \"mattermost\", \"gitlab\"]) });\n",
    );
    let ran = world.homeward(&["--lab", "plan", "--format", "json", "website=after.csv"]);
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let told: Vec<String> = plan["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["attribute"] == "email")
        .map(|one| format!("{} {}", one["decision"].as_str().unwrap(), one["system"].as_str().unwrap()))
        .collect();
    assert_eq!(told, ["apply gitlab", "apply mattermost"]);
}

#[test]
fn what_a_rule_sends_against_the_owner_s_word_is_held_whatever_the_account_holds_now() {
    let rules = "owner(\"username\", \"hr\");\ncopies(\"username\", \"gitlab\");\njoin(\"gitlab\", \"email\");\n\
                 source(\"hr\", |row| #{ key: row.id, username: row.username, email: row.email });\n\
                 source(\"website\", |row| #{ key: row.id, username: row.username, email: row.email });\n\
                 route(|change| if change.asked_by == \"website\" { to(\"gitlab\") });\n";
    let config = World::example("rename-through-gitlab").read("homeward.toml");
    let config =
        config.replace("says = \"changes\"", "says = \"state\"") + "\n[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n";
    let mut world = world(rules)
        .file("homeward.toml", &config)
        .file("hr.csv", "id,username,email\n1,anna,anna@example.com\n")
        .file("web.csv", "id,username,email\n9,anna2,anna@example.com\n");
    world.start_lab(&[]);
    for _ in 0..2 {
        let ran = world.homeward(&["--lab", "apply", "--yes", "hr=hr.csv", "website=web.csv"]);
        assert!(ran.stdout.contains("the owner says another one"), "{}{}", ran.stdout, ran.stderr);
        assert!(world.state("gitlab").to_string().contains("\"username\":\"anna\""), "{}", ran.stdout);
    }
}
