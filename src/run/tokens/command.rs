//! A program that knows people's tokens: asked once, with everybody who is wanted, and no shell between.
//!
//! What it writes to standard error is nobody's: a token could stand in it.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    config::kept::{self, Found, Written},
    model::id::SystemName,
};

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 16 << 20;

/// How often it is looked whether a program that has said all has ended.
const LOOK: Duration = Duration::from_millis(2);

/// Why a command's answer cannot be used. No text of the answer is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("it cannot be started: {0}")]
    NotStarted(std::io::Error),
    #[error("it was not over within {} s", .0.as_secs_f32())]
    TooLong(Duration),
    #[error("it answered more than {} MiB", LONGEST_ANSWER >> 20)]
    TooMuch,
    #[error("it failed ({0})")]
    Failed(String),
    #[error("line {0} of its answer {1}")]
    Line(usize, &'static str),
}

/// Asks for these people's tokens at a system, and waits for the answer. What is wrong with one line is told with it.
///
/// # Errors
/// Where there is no answer, or no line of it can be read.
pub(super) fn ask(
    program: &[String],
    root: &Path,
    time: Duration,
    system: &SystemName,
    names: &BTreeSet<String>,
) -> Result<Found, Unanswered> {
    let mut question = String::new();
    for name in names {
        question.push_str(&json!({ "system": system, "person": name }).to_string());
        question.push('\n');
    }
    let answer = run(program, root, time, question)?;
    let mut found = Found::default();
    let (mut unread, mut is_read) = (None, false);
    for (at, line) in (1..).zip(answer.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let mut told = match serde_json::from_str(line) {
            Ok(Written(Ok(Value::Object(told)))) => told,
            Ok(Written(Err(fault))) => {
                unread.get_or_insert((at, fault));
                continue;
            }
            Ok(_) | Err(_) => {
                unread.get_or_insert((at, "is no JSON object"));
                continue;
            }
        };
        if told.remove("system").is_some_and(|other| other != system.as_str()) {
            is_read = true;
            continue;
        }
        let Some(Value::String(person)) = told.remove("person") else {
            unread.get_or_insert((at, "names no `person`"));
            continue;
        };
        is_read = true;
        // Who is named and nothing else has none.
        if told.is_empty() || told.get("access_token").is_some_and(Value::is_null) || !names.contains(&person) {
            continue;
        }
        let kept =
            kept::token(&Value::Object(told)).map_err(|fault| format!("line {at} of the command's answer {fault}"));
        let twice = format!("line {at} of the command's answer names her a second time");
        if let Some(before) = found.tokens.insert(person.clone(), kept) {
            found.tokens.insert(person, before.and(Err(twice)));
        }
    }
    match unread {
        // Nothing of it is what was asked for.
        Some((at, fault)) if !is_read => Err(Unanswered::Line(at, fault)),
        _ => {
            found.unread = unread.map(|(at, fault)| format!("line {at} of the command's answer {fault}"));
            Ok(found)
        }
    }
}

fn run(program: &[String], root: &Path, time: Duration, question: String) -> Result<String, Unanswered> {
    let end = Instant::now() + time;
    let (name, arguments) = program.split_first().map_or(("", [].as_slice()), |(name, rest)| (name.as_str(), rest));
    // A path is one from the folder of the configuration; a name is looked for where programs are.
    let name = if name.contains('/') { root.join(name) } else { name.into() };
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    if !root.as_os_str().is_empty() {
        command.current_dir(root);
    }
    let mut child = command.spawn().map_err(Unanswered::NotStarted)?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read all of it is not waited for.
        std::thread::spawn(move || input.write_all(question.as_bytes()));
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut answer = Vec::new();
            let read = output.take(LONGEST_ANSWER + 1).read_to_end(&mut answer);
            let _ = sender.send(read.map(|_| answer));
        });
    }
    let left = || end.saturating_duration_since(Instant::now());
    let answer = match receiver.recv_timeout(left()) {
        Ok(Ok(answer)) if answer.len() as u64 > LONGEST_ANSWER => {
            stop(&mut child);
            return Err(Unanswered::TooMuch);
        }
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => {
            stop(&mut child);
            return Err(Unanswered::Failed(error.kind().to_string()));
        }
        Err(_) => {
            stop(&mut child);
            return Err(Unanswered::TooLong(time));
        }
    };
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => break,
            Ok(Some(status)) => return Err(Unanswered::Failed(status.to_string())),
            Ok(None) if left().is_zero() => {
                stop(&mut child);
                return Err(Unanswered::TooLong(time));
            }
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) => return Err(Unanswered::Failed(error.kind().to_string())),
        }
    }
    String::from_utf8(answer).map_err(|_| Unanswered::Line(1, "is not UTF-8"))
}

/// Ends a program and whatever it has started.
fn stop(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::own_token::KeptToken;

    fn asked(script: &str, time: Duration) -> Result<Vec<(String, String)>, String> {
        let program = ["/bin/sh", "-c", script].map(str::to_owned);
        let names = ["hr/1", "hr/2"].map(str::to_owned).into();
        let answer = ask(&program, Path::new(""), time, &"chat".into(), &names);
        let Found { tokens, unread } = answer.map_err(|error| error.to_string())?;
        let shown =
            |kept: Result<KeptToken, String>| kept.map_or_else(|fault| fault, |kept| kept.access.expose().to_owned());
        let tokens = tokens.into_iter().map(|(name, kept)| (name, shown(kept)));
        Ok(tokens.chain(unread.map(|unread| (String::new(), unread))).collect())
    }

    const PATIENT: Duration = Duration::from_secs(20);

    #[test]
    fn a_command_reads_who_is_wanted_and_answers_in_lines() {
        let script = r#"read one; read two; test "$one" = '{"system":"chat","person":"hr/1"}' || exit 3
            echo '{"person": "hr/2", "access_token": "t2"}'; echo; echo '{"person": "hr/1"}'
            echo '{"person": "hr/9", "access_token": "t9"}'"#;
        assert_eq!(asked(script, PATIENT), Ok(vec![("hr/2".to_owned(), "t2".to_owned())]));
    }

    #[test]
    fn what_goes_wrong_with_a_command_is_told_without_its_answer() {
        let told = |script: &str| asked(script, PATIENT).unwrap_err();
        assert_eq!(told("echo c4nary"), "line 1 of its answer is no JSON object");
        assert_eq!(told("echo '{\"access_token\": \"c4nary\"}'"), "line 1 of its answer names no `person`");
        assert_eq!(told("exit 3"), "it failed (exit status: 3)");
        assert_eq!(told("head -c 20000000 /dev/zero"), "it answered more than 16 MiB");
    }

    #[test]
    fn what_is_wrong_with_one_line_is_told_of_whom_it_names_or_of_whoever_is_not_named() {
        let script = r#"echo '{"system": "forum", "person": "hr/1", "access_token": "c4nary-of-the-forum"}'
            echo c4nary; echo '{"person": "hr/1", "token": "c4nary"}'
            echo '{"person": "hr/2", "access_token": "t2"}'; echo '{"person": "hr/2", "access_token": "c4nary"}'"#;
        let fields = "has something else than `access_token`, `refresh_token`, `expires_at` and `kind`";
        let told = [
            ("hr/1", format!("line 3 of the command's answer {fields}")),
            ("hr/2", "line 5 of the command's answer names her a second time".to_owned()),
            ("", "line 2 of the command's answer is no JSON object".to_owned()),
        ];
        assert_eq!(asked(script, PATIENT), Ok(told.map(|(name, told)| (name.to_owned(), told)).into()));
    }

    #[test]
    fn a_command_that_does_not_end_is_ended_with_what_it_started() {
        let started = Instant::now();
        let error = asked("sleep 600 & sleep 600", Duration::from_millis(100)).unwrap_err();
        assert_eq!(error, "it was not over within 0.1 s");
        assert!(started.elapsed() < Duration::from_mins(1));
    }

    #[test]
    fn a_program_that_is_not_there_is_told() {
        let names = BTreeSet::new();
        let error = ask(&["./nowhere".to_owned()], Path::new("/"), PATIENT, &"chat".into(), &names).unwrap_err();
        assert!(matches!(error, Unanswered::NotStarted(_)));
    }
}
