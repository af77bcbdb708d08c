//! Prism as a proxy: it holds every exchange against an `OpenAPI` description and tells in a header what does not fit.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::recorder::Exchange;

/// A running Prism. It ends with the value.
pub(crate) struct Prism {
    child: Child,
    pub(crate) url: String,
}

impl Prism {
    /// Starts it before a server and waits until it listens.
    pub(crate) fn before(program: &Path, description: &Path, server: &str) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let mut child = Command::new(program)
            .arg("proxy")
            .arg(description)
            .args([server, "--port", &port.to_string(), "--errors=false", "--cors=false"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("Prism is listening") {
            assert!(log.read_line(&mut said).unwrap() > 0, "Prism did not start: {said}");
        }
        // Nobody needs the rest, but a full pipe would hold it up.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An `OpenAPI` description in YAML or JSON, as far as its paths go.
pub(crate) struct Description {
    pub(crate) file: PathBuf,
    paths: Vec<String>,
}

impl Description {
    pub(crate) fn read(file: PathBuf) -> Self {
        let text = std::fs::read_to_string(&file).unwrap();
        let path = |line: &str| {
            let path = line.strip_prefix("  ")?.strip_suffix(':')?.trim_matches(['"', '\'']);
            path.starts_with('/').then(|| path.to_owned())
        };
        let paths: Vec<String> = match serde_json::from_str::<Value>(&text) {
            Ok(json) => json["paths"].as_object().unwrap().keys().cloned().collect(),
            Err(_) => text.lines().filter_map(path).collect(),
        };
        assert!(!paths.is_empty(), "{} describes no path", file.display());
        Self { file, paths }
    }

    /// The described path that this one is an instance of; a plain part fits better than a variable.
    fn path(&self, asked: &str) -> Option<&str> {
        let asked: Vec<&str> = asked.split('/').collect();
        let fits = |path: &&String| {
            path.split('/').count() == asked.len()
                && path.split('/').zip(&asked).all(|(there, part)| there == *part || there.starts_with('{'))
        };
        self.paths.iter().filter(fits).min_by_key(|path| path.matches('{').count()).map(String::as_str)
    }

    /// The calls of these exchanges, as `GET /users/{id} 200`.
    pub(crate) fn calls(&self, exchanges: &[Exchange], prefix: &str) -> BTreeSet<String> {
        exchanges.iter().map(|exchange| self.call(exchange, prefix)).collect()
    }

    fn call(&self, exchange: &Exchange, prefix: &str) -> String {
        let path = exchange.path.split('?').next().unwrap();
        let path = path.strip_prefix(prefix).unwrap_or(path);
        format!("{} {} {}", exchange.method, self.path(path).unwrap_or(path), exchange.status)
    }

    /// What was found in these exchanges, each once, without the numbers that differ from run to run.
    pub(crate) fn violations(&self, exchanges: &[Exchange], prefix: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let whole = exchanges.iter().filter(|exchange| !exchange.cut).map(|exchange| self.call(exchange, prefix));
        let whole: BTreeSet<String> = whole.collect();
        for exchange in exchanges {
            let call = self.call(exchange, prefix);
            assert!(whole.contains(&call), "{call}: always more violations than Prism tells, so some may hide");
            for violation in &exchange.violations {
                let place = violation["location"].as_array().into_iter().flatten().map(part).collect::<Vec<_>>();
                let message = violation["message"].as_str().unwrap_or_default().split(' ').map(general);
                let (place, message) = (place.join("."), message.collect::<Vec<_>>().join(" "));
                found.insert(format!("{call} {place}: {message}"));
            }
        }
        found
    }
}

/// The same for a word of a message, such as `0.created_by`.
fn general(word: &str) -> String {
    word.split('.').map(|part| if is_number(part) { "[]" } else { part }).collect::<Vec<_>>().join(".")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Which of a list's items it was does not matter.
fn part(part: &Value) -> String {
    let text = part.as_str().map_or_else(|| part.to_string(), str::to_owned);
    if is_number(&text) { "[]".to_owned() } else { text }
}

/// Holds what was found against the list of what is accepted: a line for each, and an indented explanation under it.
pub(crate) fn hold_against(list: &str, found: &BTreeSet<String>) {
    let mut accepted: BTreeMap<&str, String> = BTreeMap::new();
    let mut waiting: Vec<&str> = Vec::new();
    let mut explained = false;
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(why) = line.strip_prefix("    ") {
            explained = true;
            for line in &waiting {
                accepted.entry(line).or_default().push_str(why);
            }
            continue;
        }
        // Lines that stand together share what is written under them.
        if std::mem::take(&mut explained) {
            waiting.clear();
        }
        assert!(accepted.insert(line, String::new()).is_none(), "listed twice: {line}");
        waiting.push(line);
    }
    let unexplained: Vec<_> = accepted.iter().filter(|(_, why)| why.is_empty()).map(|(line, _)| line).collect();
    assert!(unexplained.is_empty(), "accepted without an explanation: {unexplained:#?}");
    let new: Vec<_> = found.iter().filter(|line| !accepted.contains_key(line.as_str())).collect();
    let stale: Vec<_> = accepted.keys().filter(|line| !found.contains(**line)).collect();
    assert!(new.is_empty() && stale.is_empty(), "not accepted: {new:#?}\nno longer found: {stale:#?}");
}

#[test]
fn a_violation_that_is_not_listed_and_one_that_is_gone_both_fail() {
    let found = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<BTreeSet<_>>();
    let fails = |list: &'static str, lines: &[&str]| {
        let found = found(lines);
        std::panic::catch_unwind(move || hold_against(list, &found)).is_err()
    };
    assert!(!fails(
        "# note\nGET /a 200 x: y\nGET /b 200 x: y\n    both, because\n",
        &["GET /a 200 x: y", "GET /b 200 x: y"]
    ));
    assert!(fails("", &["GET /a 200 x: y"]));
    assert!(fails("GET /a 200 x: y\n    because\n", &[]));
    assert!(fails("GET /a 200 x: y\n", &["GET /a 200 x: y"]));
}
