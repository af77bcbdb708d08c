//! What the program shows when nothing is wrong: plans, tables, reports, on a terminal of a certain width.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, in a helper too")]

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::common::World;

/// The project that `homeward init` writes.
fn starter() -> World {
    let world = World::new();
    assert_eq!(world.homeward(&["init"]).status, 0);
    world
}

/// A project in which HR renames and moves people of a simulated GitLab.
fn renamed(people: &[(&str, &str)]) -> World {
    let mut csv = String::from("id,email,username\n");
    let mut users = Vec::new();
    for (at, (before, after)) in people.iter().enumerate() {
        let _ = writeln!(csv, "{at},p{at}@example.com,{after}");
        users.push(
            serde_json::json!({ "id": at + 100, "username": format!("u{at}"), "name": before, "email": format!("p{at}@example.com") }),
        );
    }
    World::new()
        .file(
            "homeward.toml",
            "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = { env = \"GITLAB_TOKEN\" }\n",
        )
        .file(
            "rules/people.rhai",
            "owner(\"display_name\", \"hr\");\ncopies(\"display_name\", \"gitlab\");\nsource(\"hr\", |row| #{ key: row.id, email: row.email, display_name: row.username });\nowner(\"email\", \"hr\");\njoin(\"gitlab\", \"email\");\n",
        )
        .file("people.csv", &csv)
        .file("lab/gitlab.json", &serde_json::json!({ "users": users }).to_string())
}

/// Everything a run gave, as one text, with placeholders for what differs from run to run.
fn shown(world: &World, arguments: &[&str]) -> String {
    let ran = world.homeward(arguments);
    let text = format!("{}-- stderr\n{}-- exit {}", ran.stdout, ran.stderr, ran.status);
    let mut text = text.replace(world.path("").to_str().unwrap().trim_end_matches('/'), "[FOLDER]");
    for (pattern, placeholder) in [
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME..............]"),
        (r"sha256:[0-9a-f]{12}\b", "sha256:[DIGEST....]"),
        ("\u{301}", "[ACUTE]"),
    ] {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, placeholder).into_owned();
    }
    text
}

#[test]
fn a_new_project_says_what_to_do_next() {
    insta::assert_snapshot!(shown(&World::new(), &["init"]), @r"
    A project to start from: homeward.toml, rules/people.rhai, people.csv and a lab.

    Try it, nothing real is touched:
      homeward --lab plan hr=people.csv
      homeward --lab apply --yes hr=people.csv
    -- stderr
    -- exit 0
    ");
    let world = World::new();
    insta::assert_snapshot!(shown(&world, &["init", "try"]), @r"
    A project to start from: homeward.toml, rules/people.rhai, people.csv and a lab.

    Try it, nothing real is touched:
      cd try
      homeward --lab plan hr=people.csv
      homeward --lab apply --yes hr=people.csv
    -- stderr
    -- exit 0
    ");
    assert!(world.path("try/homeward.toml").exists() && !world.path("try/try").exists());
}

#[test]
fn a_plan_shows_who_what_where_and_why() {
    insta::assert_snapshot!(shown(&starter(), &["--lab", "plan", "hr=people.csv"]), @r#"
    hr/1001
      apply  display_name gitlab     Mia Muster → Mia Meyer           c1
             a copy of what hr says (rules/people.rhai:2:1); the personal namespace takes the new name
      follow last_name    mattermost Muster → Meyer
             mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be refused,
             owned_elsewhere: the name of this account comes from GitLab; change it there)
      apply  username     gitlab     mmuster → mmeyer                 c1
             a copy of what hr says (rules/people.rhai:2:1)
             the personal namespace and projects move; old addresses redirect until somebody takes them
      follow username     mattermost mmuster → mmeyer
             mattermost takes it from gitlab at the next sign-in through GitLab (a call of its own would be refused,
             owned_elsewhere: the username of this account comes from GitLab; change it there)

    hr/1002
      apply  display_name gitlab     Tomas Dvorak → Tomáš Dvořák      c2
             a copy of what hr says (rules/people.rhai:2:1); the personal namespace takes the new name
      apply  first_name   mattermost Tomas → Tomáš                    c3
             a copy of what hr says (rules/people.rhai:2:1)
      apply  last_name    mattermost Dvorak → Dvořák                  c3
             a copy of what hr says (rules/people.rhai:2:1)

    hr/1003
      apply  display_name gitlab     (empty) → Özge Kaya              c4
             a new account (rules/people.rhai:26:1: active is true)
      apply  email        gitlab     (empty) → ozge.kaya@example.com  c4
             a new account (rules/people.rhai:26:1: active is true)
      apply  username     gitlab     (empty) → okaya                  c4
             a new account (rules/people.rhai:26:1: active is true)

    hr/1004
      apply  active       gitlab     true → false                     c5
             no account is wanted (rules/people.rhai:26:1: active is false)
             a blocked account cannot sign in, here or to what signs in through GitLab

    system      create  update  disable  calls  follow
    gitlab           1       2        1      4       ·
    mattermost       ·       1        ·      1       2

    Also at gitlab: 1 × a blocked account cannot sign in, here or to what signs in through GitLab
    Also at gitlab: 1 × old addresses redirect until somebody takes them
    Also at gitlab: 1 × the personal namespace and projects move
    Also at gitlab: 2 × the personal namespace takes the new name
    Plan: 9 changes in 5 calls, 0 of 4 people unchanged, 2 will follow.
    -- stderr
    read 2 systems in 16 requests
    -- exit 0
    "#);
}

#[test]
fn a_plan_on_a_narrow_terminal_keeps_its_columns() {
    let world = starter().variable("COLUMNS", "60");
    insta::assert_snapshot!(shown(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    hr/1001
      apply  display_name gitlab     Mia Muster → Mia Meyer       c1
             a copy of what hr says (rules/people.rhai:2:1)
             the personal namespace takes the new name
      follow last_name    mattermost Muster → Meyer
             mattermost takes it from gitlab at the next sign-in
             through GitLab (a call of its own would be refused,
             owned_elsewhere: the name of this account comes
             from GitLab; change it there)
      apply  username     gitlab     mmuster → mmeyer             c1
             a copy of what hr says (rules/people.rhai:2:1)
             the personal namespace and projects move; old
             addresses redirect until somebody takes them
      follow username     mattermost mmuster → mmeyer
             mattermost takes it from gitlab at the next sign-in
             through GitLab (a call of its own would be refused,
             owned_elsewhere: the username of this account comes
             from GitLab; change it there)

    hr/1002
      apply  display_name gitlab     Tomas Dvorak → Tomáš Dvořák  c2
             a copy of what hr says (rules/people.rhai:2:1)
             the personal namespace takes the new name
      apply  first_name   mattermost Tomas → Tomáš                c3
             a copy of what hr says (rules/people.rhai:2:1)
      apply  last_name    mattermost Dvorak → Dvořák              c3
             a copy of what hr says (rules/people.rhai:2:1)

    hr/1003
      apply  display_name gitlab     (empty) → Özge Kaya          c4
             a new account (rules/people.rhai:26:1: active is
             true)
      apply  email        gitlab     (empty) → ozge.kaya@e…       c4
             a new account (rules/people.rhai:26:1: active is
             true)
      apply  username     gitlab     (empty) → okaya              c4
             a new account (rules/people.rhai:26:1: active is
             true)

    hr/1004
      apply  active       gitlab     true → false                 c5
             no account is wanted (rules/people.rhai:26:1:
             active is false)
             a blocked account cannot sign in, here or to what
             signs in through GitLab

    system      create  update  disable  calls  follow
    gitlab           1       2        1      4       ·
    mattermost       ·       1        ·      1       2

    Also at gitlab: 1 × a blocked account cannot sign in, here or to what signs in through GitLab
    Also at gitlab: 1 × old addresses redirect until somebody takes them
    Also at gitlab: 1 × the personal namespace and projects move
    Also at gitlab: 2 × the personal namespace takes the new name
    Plan: 9 changes in 5 calls, 0 of 4 people unchanged, 2 will follow.
    -- stderr
    read 2 systems in 16 requests
    -- exit 0
    "#);
}

#[test]
fn long_and_wide_values_are_cut_where_they_differ() {
    let long = "Anna Maria Theresia von und zu Hohenstein-Liechtenberg";
    let world = renamed(&[
        (long, &format!("{long}-Meyer")),
        ("山田太郎山田太郎山田太郎山田太郎", "山田花子山田花子山田花子山田花子"),
        ("Zoe\u{301}", "Zoë 🙂"),
        ("Ann\u{202e}a", "Anna"),
    ]);
    insta::assert_snapshot!(shown(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    hr/0
      apply  display_name gitlab …tenberg → …tenberg-Meyer                                  c1
             a copy of what hr says (rules/people.rhai:1:1); the personal namespace takes the new name

    hr/1
      apply  display_name gitlab 山田太郎山田太郎山田太郎山… → 山田花子山田花子山田花子山…  c2
             a copy of what hr says (rules/people.rhai:1:1); the personal namespace takes the new name

    hr/2
      apply  display_name gitlab Zoe[ACUTE] → Zoë 🙂                                               c3
             a copy of what hr says (rules/people.rhai:1:1); the personal namespace takes the new name

    hr/3
      apply  display_name gitlab Ann\u{202e}a → Anna                                        c4
             a copy of what hr says (rules/people.rhai:1:1); the personal namespace takes the new name

    system  update  calls
    gitlab       4      4

    Also at gitlab: 4 × the personal namespace takes the new name
    Plan: 4 changes in 4 calls, 0 of 4 people unchanged.
    -- stderr
    read 1 system in 6 requests
    -- exit 0
    "#);
    insta::assert_snapshot!(shown(&world, &["--lab", "plan", "--all", "hr=people.csv"]), @r#"
    hr/0
      apply  display_name gitlab Anna Maria Theresia von und zu Hohenstein-Liechtenberg → Anna Maria Theresia von und zu Hohenstein-Liechtenberg-Meyer  c1
             a copy of what hr says (rules/people.rhai:1:1); the personal namespace takes the new name

    hr/1
      apply  display_name gitlab 山田太郎山田太郎山田太郎山田太郎 → 山田花子山田花子山田花子山田花子  c2
             a copy of what hr says (rules/people.rhai:1:1); the personal namespace takes the new name

    hr/2
      apply  display_name gitlab Zoe[ACUTE] → Zoë 🙂                                                 c3
             a copy of what hr says (rules/people.rhai:1:1); the personal namespace takes the new name

    hr/3
      apply  display_name gitlab Ann\u{202e}a → Anna                                          c4
             a copy of what hr says (rules/people.rhai:1:1); the personal namespace takes the new name

    system  update  calls
    gitlab       4      4

    tied from now on  system  account
    hr/0              gitlab  100
    hr/1              gitlab  101
    hr/2              gitlab  102
    hr/3              gitlab  103

    Also at gitlab: 4 × the personal namespace takes the new name
    Plan: 4 changes in 4 calls, 0 of 4 people unchanged.
    -- stderr
    read 1 system in 6 requests
    -- exit 0
    "#);
}

#[test]
fn a_long_plan_is_summed_up() {
    let names: Vec<(String, String)> = (0..300).map(|at| (format!("Name {at}"), format!("Name {at} Meyer"))).collect();
    let names: Vec<(&str, &str)> = names.iter().map(|(before, after)| (before.as_str(), after.as_str())).collect();
    let world = renamed(&names);
    insta::assert_snapshot!(shown(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    300 apply gitlab display_name
      hr/0   Name 0 → Name 0 Meyer    a copy of what hr says (rules/people.rhai:1:1)
      hr/1   Name 1 → Name 1 Meyer    a copy of what hr says (rules/people.rhai:1:1)
      hr/10  Name 10 → Name 10 Meyer  a copy of what hr says (rules/people.rhai:1:1)
      … and 297 more

    A long plan, summed up: --all shows every change.

    system  update  calls
    gitlab     300    300

    Also at gitlab: 300 × the personal namespace takes the new name
    Plan: 300 changes in 300 calls, 0 of 300 people unchanged.
    -- stderr
    read 1 system in 6 requests
    -- exit 0
    "#);
    let all = world.homeward(&["--lab", "plan", "--all", "hr=people.csv"]);
    assert_eq!(all.stdout.matches("  apply ").count(), 300);
}

#[test]
fn colours_come_where_they_are_wanted_and_nowhere_else() {
    let world = starter();
    let plain = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    assert!(!plain.stdout.contains('\u{1b}'));
    let coloured = world.homeward(&["--color", "always", "--lab", "plan", "hr=people.csv"]);
    assert!(coloured.stdout.contains("\u{1b}[32mapply"), "{}", coloured.stdout);
    let bare = regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().replace_all(&coloured.stdout, "").into_owned();
    assert_eq!(bare, plain.stdout);
}

#[test]
fn no_line_ends_in_blanks() {
    let world = starter();
    for arguments in
        [&["--lab", "plan", "hr=people.csv"][..], &["owners"], &["--lab", "check", "--connect"], &["check"]]
    {
        let ran = world.homeward(arguments);
        for line in ran.stdout.lines().chain(ran.stderr.lines()) {
            assert_eq!(line, line.trim_end(), "{arguments:?}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let world = starter();
    for arguments in [
        &["--quiet", "--lab", "plan", "hr=people.csv"][..],
        &["completions", "bash"],
        &["schema"],
        &["owners", "--help"],
    ] {
        let mut child = world.command().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::with_capacity(1, child.stdout.take().unwrap());
        let _ = reader.read_until(b'\n', &mut Vec::new());
        drop(reader);
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()),
            (Some(0), ""),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_result_that_cannot_be_written_is_a_fault_and_what_was_done_is_done() {
    let world = starter();
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for arguments in [
        &["--lab", "plan", "hr=people.csv", "--format", "json"][..],
        &["--lab", "plan", "hr=people.csv", "--detailed-exitcode"],
        &["schema"],
        &["--lab", "apply", "--yes", "hr=people.csv"],
    ] {
        let output = world.command().args(arguments).stdout(full()).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains("the result could not be written: No space left on device"), "{arguments:?}: {told}");
        assert!(told.contains("write it elsewhere"), "{arguments:?}: {told}");
    }
}

#[test]
fn a_plan_says_what_check_would_call_an_error() {
    let world = starter();
    let rules = world.read("rules/people.rhai");
    let wrong = rules.replace("|person| person.active)", "|person| person.active == \"true\")");
    assert_ne!(rules, wrong);
    let told = |arguments: &[&str]| {
        let ran = world.homeward(arguments);
        assert_eq!(ran.status, 0, "{ran:?}");
        ran.stderr.contains("finds fault with these rules: rules/people.rhai:")
    };
    for arguments in [&["--lab", "plan", "hr=people.csv"][..], &["--lab", "apply", "--yes", "hr=people.csv"]] {
        world.write("rules/people.rhai", wrong.as_bytes());
        assert!(told(arguments), "{arguments:?}");
        world.write("rules/people.rhai", rules.as_bytes());
        assert!(!told(arguments), "{arguments:?}");
    }
}

#[test]
fn ownership_is_a_table_data_or_a_diagram() {
    let world = starter();
    insta::assert_snapshot!(shown(&world, &["owners"]), @r"
    attribute     owner  holds   copies              rule
    username      hr     always  gitlab, mattermost  rules/people.rhai:2:1
    first_name    hr     always  mattermost          rules/people.rhai:2:1
    last_name     hr     always  mattermost          rules/people.rhai:2:1
    display_name  hr     always  gitlab              rules/people.rhai:2:1
    email         hr     always  gitlab, mattermost  rules/people.rhai:2:1
    active        hr     always  mattermost          rules/people.rhai:2:1
    -- stderr
    -- exit 0
    ");
    insta::assert_snapshot!(shown(&world, &["owners", "--mermaid"]), @r#"
    flowchart LR
      s_hr(["hr"]) -- owns --> a_username["username"]
      s_hr(["hr"]) -- owns --> a_first_name["first_name"]
      s_hr(["hr"]) -- owns --> a_last_name["last_name"]
      s_hr(["hr"]) -- owns --> a_display_name["display_name"]
      s_hr(["hr"]) -- owns --> a_email["email"]
      s_hr(["hr"]) -- owns --> a_active["active"]
      a_active["active"] -- copied to --> s_mattermost(["mattermost"])
      a_display_name["display_name"] -- copied to --> s_gitlab(["gitlab"])
      a_email["email"] -- copied to --> s_gitlab(["gitlab"])
      a_email["email"] -- copied to --> s_mattermost(["mattermost"])
      a_first_name["first_name"] -- copied to --> s_mattermost(["mattermost"])
      a_last_name["last_name"] -- copied to --> s_mattermost(["mattermost"])
      a_username["username"] -- copied to --> s_gitlab(["gitlab"])
      a_username["username"] -- copied to --> s_mattermost(["mattermost"])
    -- stderr
    -- exit 0
    "#);
    let rows: serde_json::Value =
        serde_json::from_str(&world.homeward(&["--format", "json", "owners"]).stdout).unwrap();
    assert_eq!(rows["attributes"][0]["attribute"], "username");
    assert_eq!(rows["attributes"][0]["owner"], "hr");
}

#[test]
fn what_happened_can_be_read_afterwards() {
    let mut world = starter();
    insta::assert_snapshot!(shown(&world, &["--lab", "runs"]), @r"
    No runs yet.
    -- stderr
    -- exit 0
    ");
    world.start_lab(&[]);
    // The plan's id is that of one day.
    world.homeward(&["--lab", "--today", "2026-11-20", "apply", "--yes", "hr=people.csv"]);
    insta::assert_snapshot!(shown(&world, &["--lab", "runs"]), @r#"
    run  started               stands  input          calls  done  plan          note
    1    [TIME..............]  done    hr=people.csv  5      5     736d104d4875
    -- stderr
    -- exit 0
    "#);
    insta::assert_snapshot!(shown(&world, &["--lab", "runs", "1"]), @r#"
    Run 1 is done: hr=people.csv, [TIME..............].
    call  system      person   does     attribute     before → after                   outcome
    c1    gitlab      hr/1001  update   display_name  Mia Muster → Mia Meyer           done
                                        username      mmuster → mmeyer
    c2    gitlab      hr/1002  update   display_name  Tomas Dvorak → Tomáš Dvořák      done
    c3    mattermost  hr/1002  update   first_name    Tomas → Tomáš                    done
                                        last_name     Dvorak → Dvořák
    c4    gitlab      hr/1003  create   display_name  (empty) → Özge Kaya              done
                                        email         (empty) → ozge.kaya@example.com
                                        username      (empty) → okaya
    c5    gitlab      hr/1004  disable  active        true → false                     done

    person   expected at                                      value             comes                               by                    stands
    hr/1001  mattermost bzxmqpiadzg9xtp5memxxu5hrq last_name  Muster → Meyer    at the next sign-in through GitLab  [TIME..............]  open
    hr/1001  mattermost bzxmqpiadzg9xtp5memxxu5hrq username   mmuster → mmeyer  at the next sign-in through GitLab  [TIME..............]  open
    -- stderr
    -- exit 0
    "#);
    insta::assert_snapshot!(shown(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    hr/1001
      follow last_name mattermost Muster → Meyer    mattermost takes it from gitlab at the next sign-in through GitLab (a
                                                    call of its own would be refused, owned_elsewhere: the name of this
                                                    account comes from GitLab; change it there)
      follow username  mattermost mmuster → mmeyer  mattermost takes it from gitlab at the next sign-in through GitLab (a
                                                    call of its own would be refused, owned_elsewhere: the username of this
                                                    account comes from GitLab; change it there)

    system      follow
    mattermost       2

    Plan: 0 changes in 0 calls, 3 of 4 people unchanged, 2 will follow.
    -- stderr
    read 2 systems in 10 requests
    -- exit 0
    "#);
    insta::assert_snapshot!(shown(&world, &["lab", "login", "mattermost", "mmuster"]), @r"
    mmeyer signed in at mattermost; this changed username, last_name.
    -- stderr
    -- exit 0
    ");
}

#[test]
fn a_project_is_checked_alone_and_with_its_systems() {
    let world = starter();
    insta::assert_snapshot!(shown(&world, &["check"]), @r"
    Good: 3 systems, 1 owner line, 0 warnings.
    Certified: no attribute can go back and forth.
    -- stderr
    -- exit 0
    ");
    insta::assert_snapshot!(shown(&world, &["--lab", "check", "--connect"]), @r"
    system      server             we are                    missing
    gitlab      GitLab 17.11.1     root (administrator)      nothing
    mattermost  Mattermost 11.3.0  sysadmin (administrator)  nothing
    -- stderr
    -- exit 0
    ");
}

#[test]
fn a_saved_plan_tells_how_to_apply_it() {
    let world = starter();
    let saved = world.homeward(&["--lab", "plan", "hr=people.csv", "--out", "plan.json"]);
    assert_eq!(
        (saved.status, saved.stderr.as_str()),
        (0, "read 2 systems in 16 requests\nsaved; apply exactly this with: homeward --lab apply plan.json\n")
    );
    let quiet = world.homeward(&["-q", "--lab", "plan", "hr=people.csv", "--out", "plan.json"]);
    assert_eq!((quiet.stdout, quiet.stderr.as_str()), (saved.stdout, ""));
}

#[test]
fn the_schema_knows_every_kind() {
    let schema = World::new().homeward(&["schema"]);
    assert_eq!((schema.status, schema.stderr.as_str()), (0, ""));
    let schema: serde_json::Value = serde_json::from_str(&schema.stdout).unwrap();
    let kinds = schema["$defs"].as_object().unwrap().values();
    let kinds: std::collections::BTreeSet<&str> =
        kinds.filter_map(|table| table["properties"]["kind"]["const"].as_str()).collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        ["csv", "discourse", "gitlab", "mattermost", "nextcloud", "scim", "wordpress", "zitadel"]
    );
}

#[test]
fn completions_know_the_commands() {
    let script = World::new().homeward(&["completions", "bash"]);
    assert_eq!((script.status, script.stderr.as_str()), (0, ""));
    for command in ["plan", "apply", "check", "owners", "lab"] {
        assert!(script.stdout.contains(&format!("homeward__subcmd__{command}")), "{command}");
    }
}

#[test]
fn help_says_what_a_plan_needs() {
    insta::assert_snapshot!(shown(&World::new(), &["plan", "--help"]), @r#"
    Show what would be done and why; read, never write

    Usage: homeward plan [OPTIONS] <SYSTEM=FILE>...

    Arguments:
      <SYSTEM=FILE>...  Inputs: the name of a source and a file, or of a website alone

    Options:
          --out <FILE>         Save the plan, to read, to hand on, and to apply exactly
          --detailed-exitcode  Exit with 3 where changes are pending
          --all                Show every change of a long plan
          --recheck            Look at everybody's accounts, also at those whom `recheck` lets pass
      -h, --help               Print help
      -V, --version            Print version

    Global options:
      -C <DIR>               Work in this folder
      -c <FILE>              Read this configuration [default: homeward.toml]
          --lab              Use simulators instead of the configured providers
          --format <FORMAT>  Print results as text or as JSON [default: text] [possible values: text, json]
      -v, --verbose...       Tell more on standard error; twice for every request
      -q, --quiet            Tell nothing but results and errors
          --color <COLOR>    Colour the output [default: auto] [possible values: auto, always, never]
          --today <DATE>     Let the rules see this date as today
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn a_long_note_of_a_run_stays_within_the_terminal() {
    let mut world = starter();
    let config = world.read("homeward.toml").replace("# folder", "quiet = { looks = 1, time = \"1ms\" }\nfolder");
    world.write("homeward.toml", config.as_bytes());
    world.write("drop/hr/a.csv", b"nobody\n1\n");
    world.start_lab(&[]);
    assert_eq!(world.homeward(&["--lab", "watch", "--once"]).status, 4);
    let whole: serde_json::Value =
        serde_json::from_str(&world.homeward(&["--lab", "--format", "json", "runs"]).stdout).unwrap();
    let whole = whole["runs"][0]["told"].as_str().unwrap();
    assert!(whole.len() > 120, "{whole}");
    let world = world.variable("COLUMNS", "90");
    let text = shown(&world, &["--lab", "runs"]);
    insta::assert_snapshot!(text, @r"
    run  started               stands   input      calls  done  plan  note
    1    [TIME..............]  refused  hr: a.csv  0      0           a.csv: no header was fo…
    -- stderr
    -- exit 0
    ");
    assert!(world.homeward(&["--lab", "runs", "1"]).stdout.contains(whole));
    let world = world.variable("COLUMNS", "900");
    assert!(world.homeward(&["--lab", "runs"]).stdout.contains(whole));
}
