//! The map of the house, as a test: which room may use which, and which outside crate lives where.
//!
//! Rust lets any module use any other. This test is what makes "no connector knows a rule" true tomorrow.

#![expect(clippy::unwrap_used, reason = "a source that cannot be read fails the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A room, and the rooms it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("plan", &["model"]),
    ("rules", &["model"]),
    ("state", &["model"]),
    ("config", &["model"]),
    ("lab", &["model"]),
    ("wire", &["model", "state"]),
    ("source", &["model", "wire"]),
    ("connector", &["model", "wire"]),
    ("run", &["model", "plan", "rules", "state", "config", "lab", "wire", "source", "connector"]),
    ("cli", &["model", "plan", "rules", "state", "config", "lab", "wire", "source", "connector", "run"]),
];

/// An outside crate, and the only rooms that may name it.
const LIVES_IN: &[(&str, &[&str])] = &[
    ("rhai", &["rules"]),
    ("reqwest", &["wire"]),
    ("rusqlite", &["state"]),
    ("csv", &["source"]),
    ("encoding_rs", &["source"]),
    ("foldhash", &["model"]),
    ("html_escape", &["source"]),
    ("hmac", &["source", "connector", "lab"]),
    ("axum", &["lab", "run"]),
    ("hyper", &["lab", "run"]),
    ("hyper_util", &["lab", "run"]),
    ("http_body_util", &["lab"]),
    ("glob", &["source"]),
    ("rustix", &["cli", "rules", "run", "source"]),
    ("notify", &["run"]),
    ("toml", &["config"]),
    ("toml_edit", &["config"]),
    ("clap", &["cli"]),
    ("miette", &["cli"]),
    ("comfy_table", &["cli"]),
    ("indicatif", &["cli"]),
    ("owo_colors", &["cli"]),
    ("terminal_size", &["cli"]),
    ("tracing_subscriber", &["cli"]),
];

#[test]
fn a_room_uses_only_the_rooms_it_may() {
    let mut faults = Vec::new();
    for (room, file, text) in house() {
        let (_, allowed) =
            MAY_USE.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("`{room}` is not on the map"));
        for (other, _) in MAY_USE {
            if *other != room && !allowed.contains(other) && uses_room(&text, other) {
                faults.push(format!("{} uses {other}", file.display()));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn an_outside_crate_stays_in_its_room() {
    let mut faults = Vec::new();
    for (room, file, text) in house() {
        for (name, rooms) in LIVES_IN {
            if text.contains(&format!("{name}::")) && !rooms.contains(&room.as_str()) {
                faults.push(format!("{} names {name}", file.display()));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

/// Every source file but `main.rs` and `lib.rs`: its room, its path, its code without comments.
fn house() -> Vec<(String, PathBuf, String)> {
    let src = Path::new("src");
    files(src)
        .into_iter()
        .filter_map(|file| {
            let room = file.strip_prefix(src).unwrap().iter().next()?.to_str()?.trim_end_matches(".rs").to_owned();
            let is_root = room == "main" || room == "lib";
            let code = |line: &&str| !line.trim_start().starts_with("//");
            let text = fs::read_to_string(&file).unwrap().lines().filter(code).collect::<Vec<_>>().join("\n");
            (!is_root).then_some((room, file, text))
        })
        .collect()
}

/// True for `crate::journal`, and for `journal` at the top of a `use crate::{...}` group.
fn uses_room(text: &str, room: &str) -> bool {
    let by_path = text.match_indices("crate::").any(|(at, it)| names(&text[at + it.len()..], room));
    let by_group = text.split("use crate::{").skip(1).any(|group| {
        let mut depth = 1;
        let top: String = group
            .chars()
            .map_while(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                (depth > 0).then_some(if depth == 1 { c } else { ' ' })
            })
            .collect();
        top.split(',').any(|item| names(item.trim_start(), room))
    });
    by_path || by_group
}

fn names(text: &str, room: &str) -> bool {
    let rest = text.strip_prefix(room);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
