//! Any bytes as a file of records, read by a rule that uses most words there are.

#![no_main]

mod project;

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use project::Projects;

const RULES: &[u8] = br#"
owner(["username", "email", "display_name", "position", "phone", "locale"], "hr");
owner("nickname", "website", |person| person.email?.ends_with("@example.com") == true);
owner("nickname", "hr");
owner(["first_name", "last_name", "active", "department"], "hr", |person| person.hr?.key != "0");

source("hr", |row| {
    let email = row.email.trim().lower();
    let found = row.first_name.capture("^(\\w+)[ -](.*)$");
    if row.status == "skip" { return (); }
    if row.has("note") && row["note"].contains("stop") { throw "stopped by a note"; }
    #{
        key: row.id,
        email: if email.is_blank() { clear() } else { email },
        username: row.email.before("@").slug("de").sub_string(0, 20),
        first_name: row.first_name.title(),
        last_name: found?[2].or(row.last_name.upper()),
        display_name: row.first_name.trim() + " " + row.last_name.replace("  ", " "),
        department: row.status.split("/").len().to_string(),
        position: row.since.date_or_empty("%d.%m.%Y"),
        phone: row.status.after("+").ascii(),
        locale: row.status.matches("^[a-z]{2}$").to_string(),
        active: row.status.lower().starts_with("act"),
    }
});

source("website", |user| #{ key: user["id"], nickname: user.first_name.or("nobody").lower() });
"#;

fuzz_target!(|bytes: &[u8]| {
    static RULED: Once = Once::new();
    let projects = Projects::get();
    RULED.call_once(|| projects.write("planned/rules/people.rhai", RULES));
    projects.write("planned/people.csv", bytes);
    projects.run("planned", &["--today", "2026-11-20", "plan", "hr=people.csv", "website=people.csv", "--format", "json"]);
});
