//! Scripts that mean harm or are broken: each ends soon and small, and says what is wrong and where.
//!
//! Every script runs in the real program, in a process of its own. The kernel gives that process no more memory than it
//! may have, and what it used of the processor is read when it has ended: a busy machine makes no script guilty.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::format_collect,
    reason = "what cannot be read fails the test; texts of a few hundred lines are built where they are read"
)]

use std::{
    fmt::Write as _,
    fs::{self, File},
    path::Path,
    time::Duration,
};

use crate::common::World;
use serde_json::Value;

/// What a script may use of the processor, with what the program itself needs on a slow machine: what runs away uses a minute.
const TIME: Duration = Duration::from_secs(4);
/// What the process may have of memory that is its own, in KiB. What is over to 256 MiB is for the program's text.
const MEMORY: u64 = 208 * 1024;
/// How much of memory may be seen at any time, the program's text included, in KiB.
const RESIDENT: u64 = 256 * 1024;

/// How a rule is told to be stopped that works too much.
const STOPPED: [&str; 4] = [
    "the rule takes too long",
    "the rule does not come to an end",
    "the rule copies too much",
    "the rule makes too many patterns",
];

/// How a run ended, and what it used.
struct Measured {
    status: i32,
    stdout: String,
    stderr: String,
    time: Duration,
    /// The most memory that was seen, in KiB.
    resident: u64,
}

/// Runs a program with bounded memory and measures it.
fn measured(world: &World, program: &Path, arguments: &[&str]) -> Measured {
    let mut command = world.program("/bin/sh".as_ref());
    command
        .arg("-c")
        .arg(format!("ulimit -c 0; ulimit -t 60; ulimit -s 2048; ulimit -d {MEMORY}; exec \"$0\" \"$@\""))
        .arg(program)
        .args(arguments)
        .env("GITLAB_TOKEN", "none")
        .stdout(File::create(world.path("stdout")).unwrap())
        .stderr(File::create(world.path("stderr")).unwrap());
    let mut child = command.spawn().unwrap();
    let process = format!("/proc/{}", child.id());
    let mut resident = 0;
    // Nothing tells when a process has grown, so it is looked at again and again. One that has ended keeps its times
    // until somebody waits for it.
    let time = loop {
        let status = fs::read_to_string(format!("{process}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        resident = peak.map_or(resident, |peak| peak.trim().trim_end_matches(" kB").parse().unwrap());
        let stat = fs::read_to_string(format!("{process}/stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        if fields[0] == "Z" {
            // User and system time, in hundredths of a second.
            let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
            break Duration::from_millis(ticks * 10);
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let status = child.wait().unwrap().code().unwrap_or(-1);
    Measured { status, stdout: world.read("stdout"), stderr: world.read("stderr"), time, resident }
}

/// A project with one record and one provider, which is never asked.
fn project() -> World {
    World::new().file("people.csv", "id,email\n1,mia@example.com\n").file(
        "homeward.toml",
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\n\
         token = { env = \"GITLAB_TOKEN\" }\n",
    )
}

/// Runs the program, which has to end by itself, in time, in its memory, and with an error for each fault. Gives what it
/// says: `file:line:column message`, the first few.
fn told(world: &World, what: &str, arguments: &[&str]) -> String {
    let program = world.command();
    let mut all = vec!["--format", "json"];
    all.extend(arguments);
    let ran = measured(world, program.get_program().as_ref(), &all);
    if std::env::args().any(|it| it == "--nocapture") {
        println!("{what}: {:?}, {} KiB", ran.time, ran.resident);
    }
    // `check` gives findings where another command gives errors; both tell what to do.
    let said: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let errors = said["findings"].as_array().or_else(|| said["errors"].as_array()).cloned().unwrap_or_default();
    // What is only doubtful in these scripts is another matter.
    let errors: Vec<Value> = errors.into_iter().filter(|error| error["severity"] != "warning").collect();
    // Each fault shows in the table, beside what all others say.
    let faults = [
        (ran.status != 2, format!("exit {}", ran.status)),
        (ran.time > TIME, format!("took {:?}", ran.time)),
        (ran.resident > RESIDENT, format!("needed {} KiB", ran.resident)),
        (ran.stderr.contains("panicked") || ran.stderr.contains("overflowed"), "broke".to_owned()),
        (!errors.iter().any(|error| error["hint"].is_string()), "no hint".to_owned()),
        (ran.stdout.contains(['\0', '\u{1b}', '\u{202e}']), "printed what does not show".to_owned()),
        (ran.stderr.len() > 100_000, format!("said {} bytes", ran.stderr.len())),
        (ran.stderr.contains(['\0', '\u{1b}', '\u{202e}']), "said what does not show".to_owned()),
    ];
    let mut faults = faults.iter().filter(|fault| fault.0).map(|fault| fault.1.as_str()).peekable();
    if faults.peek().is_some() {
        return format!("!!! {}: {}{}", faults.collect::<Vec<_>>().join(", "), ran.stdout, ran.stderr);
    }
    let lines = errors.iter().take(2).map(|error| {
        let place = format!("{}:{}:{}", error["file"], error["line"], error["column"]);
        let message: String = error["message"].as_str().unwrap().chars().take(100).collect();
        // Which of these limits is met first, and just where, depends on the compiler and on what else the machine does.
        if STOPPED.iter().any(|stopped| message.starts_with(stopped)) {
            return format!("{}: the rule is stopped", error["file"].as_str().unwrap());
        }
        format!("{} {message}", place.trim_start_matches("\"rules/").replace(['"'], ""))
    });
    let lines: Vec<String> = lines.collect();
    let more = if errors.len() > 2 { format!(" | {} more", errors.len() - 2) } else { String::new() };
    lines.join(" | ") + more.as_str()
}

/// What makes the tables below readable: the same beginnings again and again.
fn helped(script: &str) -> String {
    let helpers = "
fn long() { let s = `x`; for i in 0..13 { s += s; } s }
fn list() { let a = [1]; for i in 0..10 { a += a; } a }
fn lists() { let a = [[]]; for i in 0..9 { a += a; } a }
fn map() { let m = #{}; for i in 0..200 { m[`k${i}`] = #{ a: i }; } m }
fn heavy() { let s = long(); let m = #{}; for i in 0..400 { m[`${s}${i}`] = i; } m }
fn endless(x) { endless(x + 1) }
fn forks(x) { forks(x) + forks(x) }
fn ping(x) { pong(x) }
fn pong(x) { ping(x) }
fn through(x) { [x].map(|y| through(y)) }
fn sorts(x) { [2, 1].sort(|a, b| sorts(a)) }
fn reduces(x) { [1, 2].reduce(|sum, y| reduces(y)) }
fn keep(n, x) { let a = x; let b = x; let c = x; let d = x; let e = x; if n > 0 { keep(n - 1, [x]) } else { 0 } }
";
    format!("{script};\n{}", helpers.replace('\n', " "))
}

/// What hurts only when it runs: once while it is loaded, and once for each record.
const RUNNING: &[(&str, &str)] = &[
    ("a loop", "loop { }"),
    ("a loop that does nothing new", "let x = 0; while true { x = 1; }"),
    ("do and while", "let x = 0; do { x += 1; } while true;"),
    ("a long range", "for i in 0..1000000000000 { }"),
    ("ranges in ranges", "for i in range(0, 9000000000) { for j in range(0, 9000000000) { } }"),
    ("a range of steps too small", "for i in range(0.0, 1.0, 0.00000001) { }"),
    ("a range without an end", "for i in range(0, 10, 0) { }"),
    ("a loop over a list that changes", "let a = list(); loop { for x in a { a[0] = x; } }"),
    ("lists walked in a loop", "let a = list(); loop { a.filter(|x| x > 0); }"),
    ("a list copied in a loop", "let a = list(); loop { let b = a; b[0] = 2; }"),
    ("a map copied in a loop", "let m = map(); loop { let n = m; n.x = 1; }"),
    ("a heavy map copied in a loop", "let m = heavy(); loop { let n = m; }"),
    ("recursion", "endless(1)"),
    ("recursion that forks", "forks(1)"),
    ("two functions in a circle", "ping(1)"),
    ("recursion through a list", "through(1)"),
    ("recursion through a sort", "sorts(1)"),
    ("an order that contradicts itself", "let a = list(); loop { a.sort(|a, b| 1); a.sort(|a, b| -1); }"),
    ("numbers that are none, in order", "let a = list().map(|x| 0.0 / 0.0); loop { a.sort(); }"),
    ("an order of texts and numbers", "[1, `x`].order()"),
    ("recursion through a sum", "reduces(1)"),
    ("a function handed to itself", "let f = |g| g.map(|h| h); loop { f = [f]; }"),
    ("a text that doubles", "let s = \"x\"; loop { s += s; }"),
    ("a text with holes that doubles", "let s = \"x\"; loop { s = `${s}${s}${s}`; }"),
    ("a replacement that multiplies", "let s = \"xxxxxxxx\"; loop { s = s.replace(\"x\", \"xxxxxxxx\"); }"),
    ("a text that is split into letters", "let s = long(); let a = []; loop { a = s.split(\"\"); }"),
    ("many texts made", "let s = long(); loop { s.upper(); }"),
    ("a list that doubles", "let a = [1]; loop { a += a; }"),
    ("a list that is appended to itself", "let a = [1]; loop { a.append(a); }"),
    ("a list that is spliced into itself", "let a = [1, 2]; loop { a.splice(0..1, a); }"),
    ("a padded list", "let a = []; a.pad(1000000000, \"x\");"),
    ("a list padded with lists", "let a = []; a.pad(2000, list());"),
    ("a list padded with heavy maps", "let a = []; a.pad(450, heavy());"),
    ("a list of pairs", "let a = [1, 2]; loop { a = a.zip(a, |x, y| [x, y]); }"),
    ("a list whose items double", "let a = [1, 2, 3]; loop { a = a.map(|x| [x, x]); }"),
    ("a list of texts", "let s = \"xxxxxxxxxxxxxxxx\"; let a = []; loop { a.push(s + s); }"),
    ("a map that grows", "let m = #{}; let i = 0; loop { m[`k${i}`] = [i, i, i]; i += 1; }"),
    ("maps that double", "let m = #{}; loop { m = #{ a: m, b: m }; }"),
    ("maps that are mixed", "let m = map(); loop { m += m; m.mixin(m); m.fill_with(m); }"),
    ("keys as long as may be", "let m = heavy(); let a = [m.keys(), m.keys()]; loop { a = m.keys(); }"),
    ("values of values", "let m = map(); loop { m = m.map(|k, v| [v, v]); }"),
    ("a list in a list in a list", "let a = []; loop { a = [a]; }"),
    ("a list in itself, many times over", "let a = []; loop { a = [a, a]; }"),
    ("a map in a map in a map", "let m = #{}; loop { m = #{ a: m }; }"),
    ("both in turn", "let x = []; loop { x = [#{ a: [x] }]; }"),
    ("a depth made by a function", "let x = []; loop { x = [x].reduce(|sum, y| [[[y]]], 0); }"),
    ("a depth that is compared", "let x = []; for i in 0..60 { x = [x]; } let y = x; loop { x == y; }"),
    ("a depth that is printed", "let x = []; for i in 0..60 { x = [x]; } loop { `${x}`; }"),
    ("many heavy variables", "MANY_VARIABLES"),
    ("heavy arguments", "MANY_ARGUMENTS"),
    ("heavy arguments within arguments", "NESTED_ARGUMENTS"),
    ("heavy variables on every level", "keep(14, heavy())"),
    ("lists of lists on every level", "loop { keep(9, lists()); }"),
    ("recursion within lists", "WITHIN_LISTS"),
    ("recursion within maps", "WITHIN_MAPS"),
    ("recursion within blocks", "WITHIN_BLOCKS"),
    ("recursion within texts", "WITHIN_TEXTS"),
    ("recursion within functions of lists", "WITHIN_FUNCTIONS"),
    (
        "a heavy map in many scopes",
        "let m = heavy(); { let a = m; { let b = m; { let c = m; loop { let d = [a, b, c]; } } } }",
    ),
    (
        "a pattern that explodes",
        "`aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!`.matches(`^(a+)+$`); `x`.matches(`((a{100}){100}){100}`)",
    ),
    ("patterns in a loop", "let i = 0; loop { `x`.matches(`[a-z]{1,50}${i}`); i += 1; }"),
    ("large patterns in a loop", "let i = 0; loop { `x`.matches(`(\\\\w{10}){6}${i}`); i += 1; }"),
    ("a long pattern", "`x`.matches(long())"),
    ("a pattern of groups in groups", "let s = long(); loop { s.capture(`((((((((((((.*))))))))))))`); }"),
    ("a long search in a loop", "let s = long(); loop { s.matches(`(x+x+)+y`); }"),
    ("a date of a long form", "let f = `%Y`; for i in 0..10 { f += f; } today().date(f)"),
    ("a throw of a large value", "throw [map(), list(), `\\u{1b}[2J`];"),
    ("a throw of a long text", "throw long() + `\\u{1b}[2J\\u{202e}`;"),
    ("a number too large", "let x = 1; loop { x *= 9; }"),
    ("a power too large", "2 ** 9999"),
    ("an item that is not there", "list()[99999]"),
    ("a type asked and fed back", "let t = type_of([]); loop { t += type_of(t); }"),
    ("the smallest number turned", "let x = -9223372036854775807 - 1; -x"),
    ("the smallest number divided", "let x = -9223372036854775807 - 1; x / -1"),
    ("a sub-text from before the start", "\"x\".sub_string(-9223372036854775807 - 1, 9223372036854775807) / 0"),
];

/// What hurts, or is wrong, while it is loaded.
const LOADING: &[(&str, &str)] = &[
    ("evaluation", "eval(\"1\");"),
    ("an import that climbs", "import \"../../../../etc/passwd\" as x;"),
    ("an import of anything", "import \"/etc/passwd\" as x;"),
    ("an import of itself", "import \"people\" as x;"),
    ("an export", "export let x = 1;"),
    ("the clock", "let t = timestamp();"),
    ("sleep", "sleep(100);"),
    ("the end", "exit(1);"),
    ("a print", "print(\"x\");"),
    ("a file", "open(\"people.csv\");"),
    ("the environment", "env(\"HOME\");"),
    ("a function by its name", "let f = Fn(\"owner\");"),
    ("a function that holds values", "let f = |x| x; loop { f = f.curry(f); }"),
    ("a closure that captures", "let x = [1]; let f = |y| x + y; f.map(1)"),
    ("a shared value", "let x = 1; let f = || { x += 1; }; x.is_shared()"),
    ("a caught error", "try { loop { } } catch { loop { } }"),
    ("this", "fn f() { this = [this]; } let x = []; loop { x.f(); }"),
    ("a name of ours as function", "fn owner(a, b) { }"),
    ("a name of ours as function of other arguments", "fn today(x) { \"1999-01-01\" }"),
    ("a name of ours as variable", "let owner = 1; owner(\"username\", \"nowhere\");"),
    ("an unclosed text", "owner(\"email"),
    ("an unclosed text with holes", "let x = `${1"),
    ("an unclosed character", "let x = 'a"),
    ("an unclosed comment", "owner(\"email\", \"hr\"); /* and so on"),
    ("an unclosed comment in a comment", "/* /* */ owner(\"email\", \"hr\");"),
    ("an unclosed map", "let x = #{ a: 1"),
    ("an escape that is none", "let s = \"\\u{d800}\";"),
    ("too many declarations", "for i in 0..100000 { join(\"gitlab\", \"email\"); }"),
    ("too many wrong declarations", "for i in 0..100000 { owner(`email${i}`, \"nowhere\"); }"),
    (
        "too many functions for declarations",
        "for i in 0..1999 { owner(\"email\", \"hr\", |person| true); } owner(\"nickname\", \"hr\"); owner(\"nickname\", \"hr\"); owner(\"nickname\", \"hr\");",
    ),
    ("a function where there is none", "source(\"hr\", 5);"),
    ("a function that is nobody's", "account(\"gitlab\", |a, b, c| true);"),
];

/// Rows that would be long to write out.
fn written_out(script: &str) -> String {
    let repeated = |count: usize, text: fn(usize) -> String| (0..count).map(text).collect::<String>();
    match script {
        "MANY_VARIABLES" => format!("let m = heavy(); {}", repeated(90, |n| format!("let v{n} = m; "))),
        "MANY_ARGUMENTS" => format!("let m = lists(); endless({} m);", "m, ".repeat(5_000)),
        "NESTED_ARGUMENTS" => {
            format!("let m = heavy(); {}m{}", "keep(1, [m, ".repeat(5), "])".repeat(5))
        }
        "WITHIN_LISTS" => format!("deep(1); fn deep(x) {{ {}deep(x){} }}", "[".repeat(12), "]".repeat(12)),
        "WITHIN_MAPS" => format!("deep(1); fn deep(x) {{ {}deep(x){} }}", "#{a:".repeat(6), "}".repeat(6)),
        "WITHIN_BLOCKS" => format!("deep(1); fn deep(x) {{ {}deep(x){} }}", "if true {".repeat(8), "}".repeat(8)),
        "WITHIN_TEXTS" => format!("deep(1); fn deep(x) {{ {}deep(x){} }}", "`${".repeat(4), "}`".repeat(4)),
        "WITHIN_FUNCTIONS" => {
            format!("deep(1); fn deep(x) {{ {}deep(1){} }}", "[1].map(|y| ".repeat(3), ")".repeat(3))
        }
        script => script.to_owned(),
    }
}

#[test]
fn what_runs_away_while_it_is_loaded_is_stopped_and_named() {
    let world = project();
    let mut all = String::new();
    for (what, script) in RUNNING {
        world.write("rules/people.rhai", helped(&written_out(script)).as_bytes());
        writeln!(all, "{what}: {}", told(&world, what, &["check"])).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    a loop: rules/people.rhai: the rule is stopped
    a loop that does nothing new: rules/people.rhai: the rule is stopped
    do and while: rules/people.rhai: the rule is stopped
    a long range: rules/people.rhai: the rule is stopped
    ranges in ranges: rules/people.rhai: the rule is stopped
    a range of steps too small: rules/people.rhai: the rule is stopped
    a range without an end: people.rhai:1:1 step value cannot be zero
    a loop over a list that changes: rules/people.rhai: the rule is stopped
    lists walked in a loop: rules/people.rhai: the rule is stopped
    a list copied in a loop: rules/people.rhai: the rule is stopped
    a map copied in a loop: rules/people.rhai: the rule is stopped
    a heavy map copied in a loop: rules/people.rhai: the rule is stopped
    recursion: people.rhai:1:1 functions call each other too deeply
    recursion that forks: people.rhai:1:1 functions call each other too deeply
    two functions in a circle: people.rhai:1:1 functions call each other too deeply
    recursion through a list: people.rhai:2:463 functions call each other too deeply
    recursion through a sort: people.rhai:1:1 functions call each other too deeply
    an order that contradicts itself: rules/people.rhai: the rule is stopped
    numbers that are none, in order: rules/people.rhai: the rule is stopped
    an order of texts and numbers: people.rhai:1:10 what is sorted must be all numbers or all text, but is a number and text
    recursion through a sum: people.rhai:2:553 functions call each other too deeply
    a function handed to itself: people.rhai:1:39 lists and maps lie in each other more than 64 deep
    a text that doubles: people.rhai:1:23 a text is longer than 16384 bytes
    a text with holes that doubles: people.rhai:1:35 a text is longer than 16384 bytes
    a replacement that multiplies: people.rhai:1:34 the rule makes too much text
    a text that is split into letters: people.rhai:1:42 the text has more than 2000 parts
    many texts made: people.rhai:1:26 the rule makes too much text
    a list that doubles: people.rhai:1:23 a list has more than 2000 items, those of lists in it counted
    a list that is appended to itself: people.rhai:1:23 a list has more than 2000 items, those of lists in it counted
    a list that is spliced into itself: people.rhai:1:26 a list has more than 2000 items, those of lists in it counted
    a padded list: people.rhai:1:15 a list may have 2000 items
    a list padded with lists: people.rhai:1:15 a list has more than 2000 items, those of lists in it counted
    a list padded with heavy maps: rules/people.rhai: the rule is stopped
    a list of pairs: people.rhai:1:30 a list has more than 2000 items, those of lists in it counted
    a list whose items double: people.rhai:1:33 a list has more than 2000 items, those of lists in it counted
    a list of texts: people.rhai:1:50 a text is longer than 16384 bytes
    a map that grows: rules/people.rhai: the rule is stopped
    maps that double: people.rhai:1:37 a map has more than 500 entries, those of maps in it counted
    maps that are mixed: rules/people.rhai: the rule is stopped
    keys as long as may be: rules/people.rhai: the rule is stopped
    values of values: people.rhai:1:29 a map has more than 500 entries, those of maps in it counted
    a list in a list in a list: people.rhai:1:25 lists and maps lie in each other more than 64 deep
    a list in itself, many times over: people.rhai:1:28 a list has more than 2000 items, those of lists in it counted
    a map in a map in a map: people.rhai:1:31 lists and maps lie in each other more than 64 deep
    both in turn: people.rhai:1:32 lists and maps lie in each other more than 64 deep
    a depth made by a function: people.rhai:1:25 lists and maps lie in each other more than 64 deep
    a depth that is compared: rules/people.rhai: the rule is stopped
    a depth that is printed: rules/people.rhai: the rule is stopped
    many heavy variables: rules/people.rhai: the rule is stopped
    heavy arguments: people.rhai:1:18 a call may have 8 arguments
    heavy arguments within arguments: rules/people.rhai: the rule is stopped
    heavy variables on every level: rules/people.rhai: the rule is stopped
    lists of lists on every level: rules/people.rhai: the rule is stopped
    recursion within lists: people.rhai:1:32 expressions are nested too deeply
    recursion within maps: people.rhai:1:1 functions call each other too deeply
    recursion within blocks: people.rhai:1:1 functions call each other too deeply
    recursion within texts: people.rhai:1:1 functions call each other too deeply
    recursion within functions of lists: people.rhai:1:27 functions call each other too deeply
    a heavy map in many scopes: rules/people.rhai: the rule is stopped
    a pattern that explodes: people.rhai:1:63 `((a{100}){100}){100}` is no regular expression: it would become too large
    patterns in a loop: rules/people.rhai: the rule is stopped
    large patterns in a loop: rules/people.rhai: the rule is stopped
    a long pattern: people.rhai:1:5 `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    a pattern of groups in groups: people.rhai:1:26 a text is longer than 16384 bytes
    a long search in a loop: rules/people.rhai: the rule is stopped
    a date of a long form: people.rhai:1:50 `%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%
    a throw of a large value: people.rhai:1:1 the rule says: a list
    a throw of a long text: people.rhai:1:1 the rule says: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    a number too large: people.rhai:1:21 multiplication overflow: 1350851717672992089 * 9
    a power too large: people.rhai:1:3 exponential overflow: 2 ** 9999
    an item that is not there: people.rhai:1:8 array index 99999 out of bounds: only 1024 elements in array
    a type asked and fed back: people.rhai:1:31 a text is longer than 16384 bytes
    the smallest number turned: people.rhai:1:35 integer overflow
    the smallest number divided: people.rhai:1:37 division overflow: -9223372036854775808 / -1
    a sub-text from before the start: people.rhai:1:63 `/` cannot take text and a number
    ");
}

#[test]
fn what_runs_away_on_a_record_is_stopped_and_named() {
    let world = project();
    let mut all = String::new();
    for (what, script) in RUNNING {
        let script = written_out(script);
        let (script, functions) = script.find("fn deep").map_or((script.as_str(), ""), |at| script.split_at(at));
        let rules = format!("source(\"hr\", |row| {{ {script}; #{{ key: row.id, email: row.email }} }});\n{functions}");
        world.write("rules/people.rhai", helped(&rules).as_bytes());
        writeln!(all, "{what}: {}", told(&world, what, &["plan", "hr=people.csv"])).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    a loop: rules/people.rhai: the rule is stopped
    a loop that does nothing new: rules/people.rhai: the rule is stopped
    do and while: rules/people.rhai: the rule is stopped
    a long range: rules/people.rhai: the rule is stopped
    ranges in ranges: rules/people.rhai: the rule is stopped
    a range of steps too small: rules/people.rhai: the rule is stopped
    a range without an end: people.rhai:1:1 step value cannot be zero (on people.csv:2)
    a loop over a list that changes: rules/people.rhai: the rule is stopped
    lists walked in a loop: rules/people.rhai: the rule is stopped
    a list copied in a loop: rules/people.rhai: the rule is stopped
    a map copied in a loop: rules/people.rhai: the rule is stopped
    a heavy map copied in a loop: rules/people.rhai: the rule is stopped
    recursion: people.rhai:1:1 functions call each other too deeply (on people.csv:2)
    recursion that forks: people.rhai:1:1 functions call each other too deeply (on people.csv:2)
    two functions in a circle: people.rhai:1:1 functions call each other too deeply (on people.csv:2)
    recursion through a list: people.rhai:3:463 functions call each other too deeply (on people.csv:2)
    recursion through a sort: people.rhai:1:1 functions call each other too deeply (on people.csv:2)
    an order that contradicts itself: rules/people.rhai: the rule is stopped
    numbers that are none, in order: rules/people.rhai: the rule is stopped
    an order of texts and numbers: people.rhai:1:31 what is sorted must be all numbers or all text, but is a number and text (on people.csv:2)
    recursion through a sum: people.rhai:3:553 functions call each other too deeply (on people.csv:2)
    a function handed to itself: people.rhai:1:60 lists and maps lie in each other more than 64 deep (on people.csv:2)
    a text that doubles: people.rhai:1:1 a text is longer than 16384 bytes (on people.csv:2)
    a text with holes that doubles: people.rhai:1:1 a text is longer than 16384 bytes (on people.csv:2)
    a replacement that multiplies: people.rhai:1:55 the rule makes too much text (on people.csv:2)
    a text that is split into letters: people.rhai:1:63 the text has more than 2000 parts (on people.csv:2)
    many texts made: people.rhai:1:47 the rule makes too much text (on people.csv:2)
    a list that doubles: people.rhai:1:1 a list has more than 2000 items, those of lists in it counted (on people.csv:2)
    a list that is appended to itself: people.rhai:1:1 a list has more than 2000 items, those of lists in it counted (on people.csv:2)
    a list that is spliced into itself: people.rhai:1:1 a list has more than 2000 items, those of lists in it counted (on people.csv:2)
    a padded list: people.rhai:1:36 a list may have 2000 items (on people.csv:2)
    a list padded with lists: people.rhai:1:1 a list has more than 2000 items, those of lists in it counted (on people.csv:2)
    a list padded with heavy maps: rules/people.rhai: the rule is stopped
    a list of pairs: people.rhai:1:1 a list has more than 2000 items, those of lists in it counted (on people.csv:2)
    a list whose items double: people.rhai:1:1 a list has more than 2000 items, those of lists in it counted (on people.csv:2)
    a list of texts: people.rhai:1:1 a text is longer than 16384 bytes (on people.csv:2)
    a map that grows: rules/people.rhai: the rule is stopped
    maps that double: people.rhai:1:1 a map has more than 500 entries, those of maps in it counted (on people.csv:2)
    maps that are mixed: rules/people.rhai: the rule is stopped
    keys as long as may be: rules/people.rhai: the rule is stopped
    values of values: people.rhai:1:1 a map has more than 500 entries, those of maps in it counted (on people.csv:2)
    a list in a list in a list: people.rhai:1:46 lists and maps lie in each other more than 64 deep (on people.csv:2)
    a list in itself, many times over: people.rhai:1:1 a list has more than 2000 items, those of lists in it counted (on people.csv:2)
    a map in a map in a map: people.rhai:1:52 lists and maps lie in each other more than 64 deep (on people.csv:2)
    both in turn: people.rhai:1:53 lists and maps lie in each other more than 64 deep (on people.csv:2)
    a depth made by a function: people.rhai:1:46 lists and maps lie in each other more than 64 deep (on people.csv:2)
    a depth that is compared: rules/people.rhai: the rule is stopped
    a depth that is printed: rules/people.rhai: the rule is stopped
    many heavy variables: rules/people.rhai: the rule is stopped
    heavy arguments: people.rhai:1:39 a call may have 8 arguments
    heavy arguments within arguments: people.rhai:1:95 expressions are nested too deeply
    heavy variables on every level: rules/people.rhai: the rule is stopped
    lists of lists on every level: rules/people.rhai: the rule is stopped
    recursion within lists: people.rhai:2:23 expressions are nested too deeply
    recursion within maps: people.rhai:1:1 functions call each other too deeply (on people.csv:2)
    recursion within blocks: people.rhai:1:1 functions call each other too deeply (on people.csv:2)
    recursion within texts: people.rhai:1:1 functions call each other too deeply (on people.csv:2)
    recursion within functions of lists: people.rhai:2:18 functions call each other too deeply (on people.csv:2)
    a heavy map in many scopes: rules/people.rhai: the rule is stopped
    a pattern that explodes: people.rhai:1:84 `((a{100}){100}){100}` is no regular expression: it would become too large (on people.csv:2)
    patterns in a loop: rules/people.rhai: the rule is stopped
    large patterns in a loop: rules/people.rhai: the rule is stopped
    a long pattern: people.rhai:1:26 `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    a pattern of groups in groups: people.rhai:1:1 a text is longer than 16384 bytes (on people.csv:2)
    a long search in a loop: rules/people.rhai: the rule is stopped
    a date of a long form: people.rhai:1:71 `%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%Y%
    a throw of a large value: people.rhai:1:22 the rule says: a list (on people.csv:2)
    a throw of a long text: people.rhai:1:22 the rule says: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    a number too large: people.rhai:1:42 multiplication overflow: 1350851717672992089 * 9 (on people.csv:2)
    a power too large: people.rhai:1:24 exponential overflow: 2 ** 9999 (on people.csv:2)
    an item that is not there: people.rhai:1:29 array index 99999 out of bounds: only 1024 elements in array (on people.csv:2)
    a type asked and fed back: people.rhai:1:1 a text is longer than 16384 bytes (on people.csv:2)
    the smallest number turned: people.rhai:1:56 integer overflow (on people.csv:2)
    the smallest number divided: people.rhai:1:58 division overflow: -9223372036854775808 / -1 (on people.csv:2)
    a sub-text from before the start: people.rhai:1:84 `/` cannot take text and a number (on people.csv:2)
    ");
}

#[test]
fn what_is_no_rule_is_refused_and_named() {
    let world = project();
    let mut all = String::new();
    for (what, script) in LOADING {
        world.write("rules/people.rhai", script.as_bytes());
        writeln!(all, "{what}: {}", told(&world, what, &["check"])).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    evaluation: people.rhai:1:1 reserved keyword 'eval' is disabled
    an import that climbs: people.rhai:1:8 there is no module `../../../../etc/passwd` in the folder `lib`
    an import of anything: people.rhai:1:8 there is no module `/etc/passwd` in the folder `lib`
    an import of itself: people.rhai:1:8 there is no module `people` in the folder `lib`
    an export: people.rhai:1:1 'export' is a reserved keyword
    the clock: people.rhai:1:9 unknown function `timestamp`
    sleep: people.rhai:1:1 unknown function `sleep`
    the end: people.rhai:1:1 unknown function `exit`
    a print: people.rhai:1:1 reserved keyword 'print' is disabled
    a file: people.rhai:1:1 unknown function `open`
    the environment: people.rhai:1:1 unknown function `env`
    a function by its name: people.rhai:1:9 reserved keyword 'Fn' is disabled
    a function that holds values: people.rhai:1:29 expecting name of a property
    a closure that captures: people.rhai:1:26 unknown variable `x`
    a shared value: people.rhai:1:25 unknown variable `x`
    a caught error: people.rhai:1:1 'try' is a reserved keyword
    this: people.rhai:1:10 reserved keyword 'this' is disabled
    a name of ours as function: people.rhai:1:4 `owner` is a word of the rules already
    a name of ours as function of other arguments: people.rhai:1:4 `today` is a word of the rules already
    a name of ours as variable: people.rhai:1:34 unknown system `nowhere`
    an unclosed text: people.rhai:1:7 open string is not terminated
    an unclosed text with holes: people.rhai:1:13 expecting ';' to terminate this statement
    an unclosed character: people.rhai:1:9 open string is not terminated
    an unclosed comment: people.rhai:1:23 a comment is not closed
    an unclosed comment in a comment: people.rhai:1:1 a comment is not closed
    an unclosed map: people.rhai:1:16 expecting '}' to end this object map literal
    an escape that is none: people.rhai:1:12 invalid escape sequence: '\u{'
    too many declarations: people.rhai:1:22 a second `join` line for `gitlab` | people.rhai:1:22 a second `join` line for `gitlab` | 49 more
    too many wrong declarations: people.rhai:1:22 a script may make 2000 declarations | people.rhai:1:22 unknown attribute `email0` | 49 more
    too many functions for declarations: people.rhai:1:84 a script may make 2000 declarations
    a function where there is none: people.rhai:1:1 what reads a record in `source` must be a function `|row| #{ ... }`, but is a number
    a function that is nobody's: people.rhai:1:1 the function for `account` takes 3 arguments; it must take one
    ");
}

#[test]
fn a_file_that_is_no_script_is_refused_and_named() {
    let world = project();
    let deep = |open: &str, close: &str| format!("let x = {}1{};", open.repeat(5_000), close.repeat(5_000));
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("no UTF-8", b"owner(\"email\", \"hr\"); // \xff\xfe".to_vec()),
        ("half a character", b"let x = \"\xe2\x82\";".to_vec()),
        ("UTF-16", "owner".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("zeros", vec![0; 1000]),
        ("a zero in a text", b"owner(\"email\0\", \"hr\");".to_vec()),
        ("a zero in a comment", b"// \0\nowner(\"email\", \"hr\");".to_vec()),
        ("a bell", b"// \x07".to_vec()),
        ("an escape of a terminal", b"// \x1b[2J".to_vec()),
        ("text that turns", "// \u{202e} \nowner(\"email\", \"hr\");".into()),
        ("text that turns and turns back", "let x = \"a\u{2066}b\u{2069}\";".into()),
        ("a line that is none", "// a\u{2028}owner(\"email\", \"hr\");".into()),
        ("a space without width", "owner(\"em\u{200b}ail\", \"hr\");".into()),
        ("a mark of an editor in the middle", "let x = \u{feff}1;".into()),
        ("too long", format!("//{}", "x".repeat(70_000)).into()),
        ("a huge text", format!("let x = \"{}\";", "x".repeat(60_000)).into()),
        ("a huge name", format!("let {} = 1; y", "x".repeat(60_000)).into()),
        ("a wide list", format!("let x = [{}];", "1,".repeat(30_000)).into()),
        ("a wide map", format!("let x = #{{{}}};", (0..5_000).map(|n| format!("k{n}:1,")).collect::<String>()).into()),
        ("many functions", (0..3_000).map(|n| format!("fn f{n}() {{ }}\n")).collect::<String>().into()),
        ("many closures", "let f = |x| x;\n".repeat(3_000).into()),
        ("many variables", (0..3_000).map(|n| format!("let v{n} = 1;\n")).collect::<String>().into()),
        ("many properties", (0..5_000).map(|n| format!("f.p{n};")).collect::<String>().into()),
        ("brackets", "[".repeat(64 * 1024).into()),
        ("brackets that close", deep("[", "]").into()),
        ("parentheses", deep("(", ")").into()),
        ("blocks", deep("{", "}").into()),
        ("maps", deep("#{a:", "}").into()),
        ("signs", deep("-", "").into()),
        ("nots", deep("!", "").into()),
        ("closures", deep("|x| ", "").into()),
        ("conditions", format!("{}{}", "if true { ".repeat(3_000), "}".repeat(3_000)).into()),
        ("choices", format!("{}1{}", "switch 1 { 1 => ".repeat(2_000), "}".repeat(2_000)).into()),
        ("else and else again", format!("if false {{ }} {} else {{ x }}", "else if false { }".repeat(3_000)).into()),
        ("texts in texts", format!("let x = {}1{};", "`${".repeat(5_000), "}`".repeat(5_000)).into()),
        ("calls in calls", deep("f(", ")").into()),
        ("additions", format!("let x = 1{};", "+1".repeat(20_000)).into()),
        ("dots", format!("let x = a{};", ".b".repeat(20_000)).into()),
        ("indexes", format!("let x = [1]; x{}", "[0]".repeat(20_000)).into()),
        ("comments that open", "/*".repeat(30_000).into()),
        ("marks", "#".repeat(60_000).into()),
        ("letters of other scripts", "ﷺ".repeat(20_000).into()),
    ];
    let mut all = String::new();
    for (what, bytes) in files {
        world.write("rules/people.rhai", &bytes);
        writeln!(all, "{what}: {}", told(&world, what, &["check"])).unwrap();
    }
    insta::assert_snapshot!(all, @r"
    no UTF-8: null:null:null `rules/people.rhai` is not UTF-8
    half a character: null:null:null `rules/people.rhai` is not UTF-8
    UTF-16: people.rhai:1:2 a character that does not show: U+0000
    zeros: people.rhai:1:1 a character that does not show: U+0000
    a zero in a text: people.rhai:1:13 a character that does not show: U+0000
    a zero in a comment: people.rhai:1:4 a character that does not show: U+0000
    a bell: people.rhai:1:4 a character that does not show: U+0007
    an escape of a terminal: people.rhai:1:4 a character that does not show: U+001B
    text that turns: people.rhai:1:4 a character that does not show: U+202E
    text that turns and turns back: people.rhai:1:11 a character that does not show: U+2066
    a line that is none: people.rhai:1:5 a character that does not show: U+2028
    a space without width: people.rhai:1:10 a character that does not show: U+200B
    a mark of an editor in the middle: people.rhai:1:9 a character that does not show: U+FEFF
    too long: null:null:null `rules/people.rhai` has 70002 bytes; a script may have 65536
    a huge text: people.rhai:1:9 a text is longer than 16384 bytes
    a huge name: people.rhai:1:60011 unknown variable `y`
    a wide list: people.rhai:1:4010 a list has more than 2000 items, those of lists in it counted
    a wide map: people.rhai:1:3406 a map has more than 500 entries, those of maps in it counted
    many functions: people.rhai:101:1 the script has too many functions
    many closures: people.rhai:101:9 the script has too many functions
    many variables: people.rhai:101:1 the rule has too many variables
    many properties: people.rhai:1:1 unknown variable `f`
    brackets: people.rhai:1:11 expressions are nested too deeply
    brackets that close: people.rhai:1:19 expressions are nested too deeply
    parentheses: people.rhai:1:24 expressions are nested too deeply
    blocks: people.rhai:1:23 expressions are nested too deeply
    maps: people.rhai:1:49 expressions are nested too deeply
    signs: people.rhai:1:9 '--' is a reserved symbol
    nots: people.rhai:1:38 expressions are nested too deeply
    closures: people.rhai:1:49 expressions are nested too deeply
    conditions: people.rhai:1:104 expressions are nested too deeply
    choices: people.rhai:1:248 expressions are nested too deeply
    else and else again: people.rhai:1:515 expressions are nested too deeply
    texts in texts: people.rhai:1:30 expressions are nested too deeply
    calls in calls: people.rhai:1:39 expressions are nested too deeply
    additions: people.rhai:1:66 expressions are nested too deeply
    dots: people.rhai:1:68 expressions are nested too deeply
    indexes: people.rhai:1:100 expressions are nested too deeply
    comments that open: people.rhai:1:1 a comment is not closed
    marks: people.rhai:1:1 open string is not terminated
    letters of other scripts: people.rhai:1:1 unexpected 'ﷺ'
    ");
}

#[test]
fn many_scripts_are_not_loaded_and_as_many_as_may_be_fit() {
    let world = project();
    for number in 0..300 {
        world.write(&format!("rules/s{number:03}.rhai"), b"const A = [1, 2, 3]; fn f(x) { x + 1 }");
    }
    world.write("rules/z.rhai", b"/*");
    assert_eq!(told(&world, "many", &["check"]), "null:null:null `rules` holds 301 scripts; there may be 300");
    world.write("rules/s299.rhai", b"/*");
    fs::remove_file(world.path("rules/z.rhai")).unwrap();
    let program = world.command();
    let ran = measured(&world, program.get_program().as_ref(), &["check"]);
    // A debug build reads a hundred scripts in half a second.
    assert!(ran.status == 2 && ran.resident <= RESIDENT, "{} {} KiB", ran.status, ran.resident);
    assert!(ran.stderr.contains("a comment is not closed"), "{}", ran.stderr);
}

#[test]
fn the_bounds_of_this_test_hold() {
    let world = project();
    let large = measured(&world, "/bin/dd".as_ref(), &["if=/dev/zero", "of=/dev/null", "bs=250M", "count=1"]);
    assert_ne!(large.status, 0, "250 MiB were given: {}", large.stderr);
    let small = measured(&world, "/bin/dd".as_ref(), &["if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"]);
    assert_eq!(small.status, 0, "{}", small.stderr);
    assert!(small.resident > 90 * 1024, "{} KiB were seen of 100 MiB", small.resident);
    let busy = measured(&world, "/bin/sh".as_ref(), &["-c", "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done"]);
    assert!(busy.time > Duration::ZERO);
}
