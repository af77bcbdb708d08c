//! Rules that would run away, reach out, or bring the program down: each ends in time and memory, with a clear word.

use std::process::Command;

use crate::common::World;

/// Seconds after which a run counts as one that never ends. A rule is given a quarter of a second; the rest is room for
/// a busy machine.
const DEADLINE: &str = "10";

/// Address space for the whole process, in KiB. A run of a small project stays below half of it.
const MEMORY: &str = "1000000";

/// Runs the program with bounded time and memory.
pub(crate) fn bounded(world: &World, deadline: &str, memory: &str, arguments: &[&str]) -> (i32, String, String) {
    let program = world.command();
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(format!("ulimit -c 0; ulimit -v {memory}; exec timeout -s KILL {deadline} \"$0\" \"$@\""))
        .arg(program.get_program())
        .args(arguments)
        .current_dir(world.path(""))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn project() -> World {
    World::new()
        .file("people.csv", "employee_id,username\n1,anna\n2,ben\n")
        .file("lab/gitlab.json", r#"{ "users": [{ "id": 1, "username": "anna" }, { "id": 2, "username": "ben" }] }"#)
        .file(
            "homeward.toml",
            "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\n\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \
             \"https://git.example.com\"\ntoken = { env = \"TOKEN\" }\n",
        )
}

const SOUND: &str = r#"
owner("username", "hr");
copies("username", "gitlab");
source("hr", |row| #{ key: row.employee_id, username: row.username });
join("gitlab", ["username"]);
"#;

/// What does not end, or is too large, wherever it stands.
const RUNAWAYS: &[&str] = &[
    "loop { }",
    "let x = 0; while true { x += 1; }",
    "let x = 0; do { x += 1; } while true;",
    "for i in 0..1000000000000 { }",
    "for i in range(0, 1000000000000) { for j in range(0, 1000000000000) { } }",
    "endless(1)",
    "forks(1)",
    "ping(1)",
    "let s = \"x\"; loop { s += s; }",
    "let s = \"x\"; loop { s = `${s}${s}${s}`; }",
    "let s = \"xxxxxxxx\"; loop { s = s.replace(\"x\", \"xxxxxxxx\"); }",
    "let a = [1]; loop { a += a; }",
    "let a = [1]; loop { a = a + a; }",
    "let a = []; a.pad(1000000000, \"x\");",
    "let a = []; loop { a = [a, a]; }",
    "let a = []; for i in 0..100000 { a = [a]; }",
    "let m = #{}; let i = 0; loop { m[`k${i}`] = [i, i, i]; i += 1; }",
    "let m = #{}; loop { m = #{ a: m, b: m }; }",
    "let s = \"xxxxxxxxxxxxxxxx\"; let a = []; loop { a.push(s + s); }",
    "let a = [1, 2, 3]; loop { a = a.map(|x| [x, x]); }",
    "throw #{ a: [1, 2, #{ b: \"\u{1b}[2J\" }] };",
    "throw;",
    "1 / 0",
    "9223372036854775807 + 1",
    "let a = [1]; a[99]",
    "2 ** 9999",
    "\"x\".pad_left(1000000000, \"x\")",
];

const FUNCTIONS: &str = "
fn endless(x) { endless(x + 1) }
fn forks(x) { forks(x) + forks(x) }
fn ping(x) { pong(x) }
fn pong(x) { ping(x) }
";

/// What does not load.
const EXITS: &[&str] = &[
    "eval(\"1\");",
    "import \"lib/x\" as x;",
    "import \"/etc/passwd\" as x;",
    "export let x = 1;",
    "let t = timestamp();",
    "sleep(100);",
    "print(\"x\");",
    "debug(\"x\");",
    "exit(1);",
    "let f = Fn(\"owner\");",
    "let f = |x| x; let g = f.curry(1);",
    "let f = |x| x; f.call(1);",
    "call(|x| x, 1);",
    "try { throw 1 } catch { }",
    "open(\"people.csv\");",
    "env(\"HOME\");",
    "parse_json(\"{}\");",
    "owner(\"username\", \"hr\"); owner(\"username\", \"gitlab\");",
    "owner(\"usrname\", \"hr\");",
    "source(\"hr\", 5);",
    "join(\"gitlab\", []);",
    "owner([], \"hr\");",
    "account(\"gitlab\", |a, b, c| true);",
    "let s = \"\\u{d800}\";",
    "'",
    "\"",
    "`${",
    "#{",
    "x",
];

fn assert_calm(what: &str, (status, stdout, stderr): &(i32, String, String), allowed: &[i32]) {
    let all = format!("{what}: {status} {stdout}{stderr}");
    assert!(allowed.contains(status), "{all}");
    assert!(!stderr.contains("panicked") && !stderr.contains("overflowed its stack"), "{all}");
    assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "{all}");
    if *status == 2 {
        assert!(stderr.contains("rules/"), "it says where: {all}");
    }
}

#[test]
fn a_hostile_script_does_not_load_and_says_why() {
    let world = project();
    for script in RUNAWAYS.iter().chain(EXITS) {
        world.write("rules/people.rhai", format!("{FUNCTIONS}{script}\n").as_bytes());
        let ran = bounded(&world, DEADLINE, MEMORY, &["check"]);
        assert_calm(script, &ran, &[2]);
    }
}

#[test]
fn a_file_that_is_no_script_or_none_of_ours_does_not_load() {
    let world = project();
    let deep = |open: &str, close: &str| format!("let x = {}1{};", open.repeat(5_000), close.repeat(5_000));
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("no UTF-8", b"owner(\"username\", \"hr\"); // \xff\xfe".to_vec()),
        ("UTF-16", "owner".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("zeros", vec![0; 1000]),
        ("too long", format!("{SOUND}//{}", "x".repeat(70_000)).into_bytes()),
        ("a huge literal", format!("let x = \"{}\";", "x".repeat(60_000)).into_bytes()),
        ("a huge number", format!("let x = {};", "9".repeat(60_000)).into_bytes()),
        ("a huge name", format!("let {} = 1; y", "x".repeat(60_000)).into_bytes()),
        ("a wide list", format!("let x = [{}];", "1,".repeat(30_000)).into_bytes()),
        ("many functions", (0..3000).map(|n| format!("fn f{n}() {{ }}\n")).collect::<String>().into_bytes()),
        ("many variables", (0..3000).map(|n| format!("let v{n} = 1;\n")).collect::<String>().into_bytes()),
        ("brackets", deep("[", "]").into_bytes()),
        ("parentheses", deep("(", ")").into_bytes()),
        ("blocks", deep("{", "}").into_bytes()),
        ("maps", deep("#{a:", "}").into_bytes()),
        ("signs", deep("-", "").into_bytes()),
        ("nots", deep("!", "").into_bytes()),
        ("closures", deep("|x| ", "").into_bytes()),
        ("additions", format!("let x = 1{};", "+1".repeat(20_000)).into_bytes()),
        ("conditions", format!("if true {{ }} {}", "else if true { }".repeat(3_000)).into_bytes()),
        ("texts in texts", format!("let x = {}1{};", "`${".repeat(5_000), "}`".repeat(5_000)).into_bytes()),
        ("dots", format!("let x = a{};", ".b".repeat(20_000)).into_bytes()),
        ("comments", "/*".repeat(30_000).into_bytes()),
    ];
    for (what, bytes) in files {
        world.write("rules/people.rhai", &bytes);
        let ran = bounded(&world, DEADLINE, MEMORY, &["check"]);
        // Some are only long; most of them cannot be read.
        assert_calm(what, &ran, &[0, 2]);
    }
    world.write("rules/people.rhai", SOUND.as_bytes());
    std::os::unix::fs::symlink("/dev/zero", world.path("rules/zero.rhai")).unwrap();
    assert_calm("a device", &bounded(&world, DEADLINE, MEMORY, &["check"]), &[2]);
}

#[test]
fn a_word_of_ours_cannot_be_taken_over() {
    let world = project();
    for script in [
        "fn owner(a, b) { } owner(\"username\", \"gitlab\");",
        "fn source(a, b) { }",
        "fn today() { \"1999-01-01\" }",
        "fn lower(s) { \"root\" }",
        "let owner = 1; owner(\"username\", \"hr\");",
        "const person = #{ username: \"root\" };",
        "let person = #{ username: \"root\" };",
        "let row = 1;",
    ] {
        world.write("rules/people.rhai", format!("{SOUND}{script}\n").as_bytes());
        let ran = bounded(&world, DEADLINE, MEMORY, &["--lab", "plan", "hr=people.csv", "--format", "json"]);
        assert_calm(script, &ran, if script.starts_with("fn") { &[2] } else { &[0, 2] });
        assert!(!ran.1.contains("root") && !ran.1.contains("1999"), "{script}: {}", ran.1);
    }
}

#[test]
fn a_hostile_rule_stops_itself_and_nothing_else() {
    let world = project();
    for runaway in RUNAWAYS {
        let rules = [
            format!(
                "owner(\"username\", \"hr\"); copies(\"username\", \"gitlab\"); join(\"gitlab\", [\"username\"]);
                     source(\"hr\", |row| {{ {runaway}; #{{ key: row.employee_id, username: row.username }} }});"
            ),
            format!(
                "{SOUND} owner(\"display_name\", \"gitlab\", |person| {{ {runaway}; true }});
                     owner(\"email\", \"gitlab\", |person| {{ {runaway}; true }});"
            ),
            format!("{SOUND} account(\"gitlab\", |person| {{ {runaway}; true }});"),
        ];
        for rules in rules {
            world.write("rules/people.rhai", format!("{rules}\n{FUNCTIONS}").as_bytes());
            let ran = bounded(&world, DEADLINE, MEMORY, &["--lab", "plan", "hr=people.csv"]);
            // Everybody's rule fails, so the rule is wrong; where the value is never asked for, it is never run.
            assert_calm(&rules, &ran, &[0, 2]);
        }
    }
    // One row of many is turned away alone.
    let rules = SOUND
        .replace("#{ key", "{ if row.employee_id == \"2\" { throw \"no\" } #{ key")
        .replace("row.username });", "row.username } });");
    world.write("rules/people.rhai", rules.as_bytes());
    let ran = bounded(&world, DEADLINE, MEMORY, &["--lab", "plan", "hr=people.csv"]);
    assert_calm("one row", &ran, &[0]);
    assert!(ran.1.contains("people.csv:3") && ran.1.contains("1 rejected"), "{}", ran.1);
}
