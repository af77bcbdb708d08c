//! Inputs that are noise, floods or bait.

use std::{io::Write, process::Stdio, time::Duration};

use crate::{common::World, scripts::bounded};

fn project() -> World {
    World::new()
        .file(
            "rules/people.rhai",
            r#"
owner(["username", "display_name"], "hr");
copies(["username", "display_name"], "gitlab");
source("hr", |row| #{ key: row.employee_id, username: row.username, display_name: row.name });
join("gitlab", ["username"]);
"#,
        )
        .file("lab/gitlab.json", r#"{ "users": [{ "id": 7, "username": "anna", "name": "Anna" }] }"#)
        .file(
            "homeward.toml",
            "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\ncoverage = \"partial\"\n\n[systems.gitlab]\nkind = \
             \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = { env = \"TOKEN\" }\n",
        )
}

/// The same noise every time: a test that fails can be run again.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        // Bytes that mean something to a reader of CSV come more often than others.
        const SPICE: &[u8] = b",,;;\t\"\"\"\n\n\r\r\n\0 |'\\=-+@aZ09\xef\xbb\xbf\xff\xfe\xc3\xa4\x1b";
        (0..length)
            .map(|_| {
                let draw = self.next();
                let spice = SPICE[usize::try_from(draw >> 8).unwrap() % SPICE.len()];
                if draw.is_multiple_of(3) { u8::try_from(draw >> 40 & 0xff).unwrap() } else { spice }
            })
            .collect()
    }
}

fn calm(what: &str, status: i32, stdout: &str, stderr: &str) {
    assert!([0, 2, 4].contains(&status), "{what}: {status} {stdout}{stderr}");
    assert!(!stderr.contains("panicked"), "{what}: {stderr}");
    let acts = |c: char| {
        c != '\n' && c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    assert!(!stdout.contains(acts) && !stderr.contains(acts), "{what}: {stdout:?}{stderr:?}");
}

#[test]
fn noise_is_refused_or_read_and_never_brings_the_program_down() {
    let world = project();
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for round in 0..50 {
        let length = usize::try_from(noise.next() % 4_000).unwrap();
        let mut bytes = noise.bytes(length);
        if round % 2 == 0 {
            bytes = [b"employee_id,username,name\n".to_vec(), bytes].concat();
        }
        world.write("noise.csv", &bytes);
        let ran = world.homeward(&["--lab", "plan", "hr=noise.csv", "--all", "-vv"]);
        calm(&format!("round {round}"), ran.status, &ran.stdout, &ran.stderr);
    }
}

#[test]
fn bait_in_a_cell_is_text_and_nothing_else() {
    let world = project();
    let baits = [
        "=HYPERLINK(\"\"http://evil.example\"\")",
        "@SUM(1+9)*cmd|' /C calc'!A0",
        "../../../etc/passwd",
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "\u{202e}gnp.exe",
        "\u{2066}x\u{2069}",
        "\u{9b}31m",
        "a\rb",
        "a\nb",
        "\u{feff}x",
        "\u{0}",
        "${row.name}",
        "'; drop table links; --",
        "hr/1",
    ];
    for (at, bait) in baits.iter().enumerate() {
        for row in [format!("\"{bait}\",anna,Anna"), format!("1,anna,\"{bait}\""), format!("1,\"{bait}\",Anna")] {
            world.write("bait.csv", format!("employee_id,username,name\n{row}\n2,ben,Ben\n").as_bytes());
            for format in ["text", "json"] {
                let ran = world.homeward(&["--lab", "plan", "hr=bait.csv", "--all", "-vv", "--format", format]);
                assert!([0, 2, 4].contains(&ran.status), "{at} {row:?}: {}{}", ran.stdout, ran.stderr);
                // In JSON a direction is a character of a value, and escaping is the reader's.
                let shown = if format == "text" { ran.stdout.as_str() } else { "" };
                calm(&row, ran.status, shown, &ran.stderr);
            }
        }
    }
    assert!(!world.path(".homeward").exists());
}

#[test]
fn a_field_of_two_hundred_mebibytes_is_refused_before_it_is_held() {
    let world = project();
    let mut file = std::io::BufWriter::new(std::fs::File::create(world.path("huge.csv")).unwrap());
    file.write_all(b"employee_id,username,name\n1,anna,\"").unwrap();
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..200 {
        file.write_all(&chunk).unwrap();
    }
    file.write_all(b"\"\n").unwrap();
    file.flush().unwrap();
    // Half of what the field alone would take, beside what the program takes for itself (see the other test).
    let (status, stdout, stderr) = bounded(&world, "60", "500000", &["--lab", "plan", "hr=huge.csv"]);
    assert_eq!((status, stdout.as_str()), (4, ""), "{stderr}");
    assert!(stderr.contains("larger than"), "{stderr}");
}

/// Runs the program and gives the most memory it ever held, in KiB, as the kernel counts it.
fn peak(world: &World, arguments: &[&str]) -> u64 {
    let mut child = world.command().args(arguments).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = number.unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    peak
}

#[test]
fn a_long_list_that_nobody_keeps_takes_no_memory() {
    let world = project().file("rules/people.rhai", "owner(\"username\", \"hr\");\nsource(\"hr\", |row| ());\n");
    let rows = |name: &str, count: usize| {
        let mut file = std::io::BufWriter::new(std::fs::File::create(world.path(name)).unwrap());
        file.write_all(b"employee_id,username,name\n").unwrap();
        for number in 0..count {
            writeln!(file, "{number},person{number},A person whose name takes some room and more of it").unwrap();
        }
        file.flush().unwrap();
    };
    // Both are read on all cores, each of which has an engine of its own for the rules.
    rows("short.csv", 5_000);
    rows("long.csv", 25_000);
    let short = peak(&world, &["--lab", "plan", "hr=short.csv"]);
    let long = peak(&world, &["--lab", "plan", "hr=long.csv"]);
    assert!(short > 1_000, "nothing was measured");
    // What must be kept of a row is that its key was there: some 100 bytes. The rows alone, as text, are another 80, and
    // as records several times that: a list that is held takes far more than 200 bytes for each.
    let each = (long.saturating_sub(short)) * 1024 / 20_000;
    assert!(each < 200, "{each} bytes for each row ({short} KiB, {long} KiB)");
}
