//! Any bytes as a script, and behind a line `---` any bytes as the records it is asked about.

#![no_main]

mod project;

use libfuzzer_sys::fuzz_target;
use project::Projects;

const RECORDS: &[u8] = b"id,email,first_name,status,since\n7,mia@example.com,Mia,Active,01.02.2026\n8,,Lars,,\n";

fuzz_target!(|bytes: &[u8]| {
    let divided = bytes.windows(5).position(|window| window == b"\n---\n");
    let (script, records) = divided.map_or((bytes, RECORDS), |at| (&bytes[..at], &bytes[at + 5..]));
    let projects = Projects::get();
    projects.write("checked/rules/people.rhai", script);
    projects.run("checked", &["--format", "json", "check"]);
    projects.write("planned/rules/people.rhai", script);
    projects.write("planned/people.csv", records);
    projects.run("planned", &["--today", "2026-11-20", "plan", "hr=people.csv", "website=people.csv"]);
});
