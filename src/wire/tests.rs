//! The wire against a server that does as it is told: answers, breaks off, or is silent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use url::Url;

use super::{
    Allotment, Allowance, Budget, Credential, Dialect, Habits, Line, OwnToken, Reach, Refill, Reply, WireError,
};
use crate::{
    model::{
        capability::{Replay, Scheme},
        id::PersonId,
        own_token::TokenKind,
        plan::{Call, Operation, Plan},
        refusal::RefusalKind,
        secret::Secret,
    },
    state::{Entry, Occasion, Store, sqlite::Sqlite},
};

/// What the server does with one request.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Answers with this status, these headers and this body.
    Answers(u16, &'static str, &'static str),
    /// Takes the request and closes the connection.
    BreaksOff,
    /// Answers with less than it announced.
    Truncates,
    /// Takes the request and says nothing.
    IsSilent,
}

const YES: Does = Does::Answers(200, "", "{}");
const BUSY: Does = Does::Answers(503, "", "<html>busy</html>");

/// A server that does these things one after the other, and the last one for ever.
struct Told {
    url: Url,
    asked: Arc<Mutex<u32>>,
    /// The last request, as it came.
    last: Arc<Mutex<String>>,
}

/// True for a request that has come to its end.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

impl Told {
    async fn to(does: &[Does]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::new(Mutex::new(0));
        let last = Arc::new(Mutex::new(String::new()));
        let (does, counted, kept) = (does.to_vec(), Arc::clone(&asked), Arc::clone(&last));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                let mut part = [0; 4096];
                while !is_whole(&request) {
                    match stream.read(&mut part).await {
                        Ok(read) if read > 0 => request.extend_from_slice(&part[..read]),
                        _ => break,
                    }
                }
                *kept.lock().unwrap() = String::from_utf8_lossy(&request).into_owned();
                let number = {
                    let mut asked = counted.lock().unwrap();
                    *asked += 1;
                    *asked as usize
                };
                match does[number.min(does.len()) - 1] {
                    Does::Answers(status, headers, body) => {
                        let length = body.len();
                        let text = format!(
                            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
                        );
                        stream.write_all(text.as_bytes()).await.unwrap();
                    }
                    Does::Truncates => {
                        stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\n{\"id\":").await.unwrap();
                    }
                    Does::BreaksOff => {}
                    Does::IsSilent => {
                        tokio::spawn(async move {
                            let _held = stream;
                            std::future::pending::<()>().await;
                        });
                    }
                }
            }
        });
        Self { url, asked, last }
    }

    fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }

    fn line(&self) -> Line {
        self.line_with(Habits::default())
    }

    fn line_with(&self, habits: Habits) -> Line {
        line(self.url.clone(), habits)
    }
}

fn line(url: Url, habits: Habits) -> Line {
    Line::new(Reach {
        system: "chat".into(),
        url,
        credential: Credential::Token(Secret::new("token")),
        scheme: Scheme::Bearer,
        concurrency: 4,
        timeout: Duration::from_millis(500),
        habits,
        route: super::Route::default(),
    })
    .unwrap()
}

fn call(replay: Replay) -> Call {
    Call {
        id: "c1".into(),
        system: "chat".into(),
        person: PersonId { system: "hr".into(), key: "1".into() },
        account: Some("u1".into()),
        operation: Operation::Update,
        performs: None,
        method: "PUT".to_owned(),
        path: "/users/u1".to_owned(),
        headers: BTreeMap::new(),
        body: serde_json::Value::Null,
        generated: Vec::new(),
        expects: BTreeMap::new(),
        intends: BTreeMap::new(),
        replay,
        after: Vec::new(),
    }
}

/// What came of one call: the status or the fault, whether it is in doubt, and what the journal says.
struct Came {
    answer: Result<Reply, WireError>,
    in_doubt: bool,
    journal: Vec<String>,
}

impl Came {
    fn status(&self) -> Option<u16> {
        self.answer.as_ref().ok().map(|reply| reply.status)
    }
}

async fn send(line: &Line, replay: Replay) -> Came {
    send_within(line, replay, &Budget::new(Allotment::default())).await
}

async fn send_within(line: &Line, replay: Replay, budget: &Budget) -> Came {
    let store = Sqlite::in_memory().unwrap();
    let run = store.begin(&Plan::empty(), &Occasion::default(), "2026-11-20T10:00:00Z").unwrap();
    let call = call(replay);
    let mut writer = line.writer(&store, run, &call).within(budget);
    let answer = writer.send().await;
    let in_doubt = writer.in_doubt();
    let is_ours = |entry: &Entry| !matches!(entry, Entry::Began { .. });
    let entries = store.entries(run).unwrap().into_iter().filter(is_ours);
    let journal = entries.map(|entry| match entry {
        Entry::Calling { attempt, .. } => format!("calling {attempt}"),
        Entry::Answered { attempt, status, .. } => format!("answered {attempt} {status}"),
        Entry::Unanswered { attempt, .. } => format!("unanswered {attempt}"),
        other => format!("{other:?}"),
    });
    Came { answer, in_doubt, journal: journal.collect() }
}

#[tokio::test]
async fn a_question_is_asked_again_whatever_fails_in_passing() {
    for fault in [BUSY, Does::BreaksOff, Does::Truncates, Does::IsSilent, Does::Answers(408, "", "")] {
        let server = Told::to(&[fault, YES]).await;
        let reply = server.line().reader().get("/users", &[]).await.unwrap();
        assert_eq!((reply.status, server.asked()), (200, 2), "{fault:?}");
    }
}

#[tokio::test]
async fn a_no_is_a_no_to_questions_and_calls_alike() {
    for status in [301, 302, 307, 400, 403, 404, 409, 422, 501] {
        let no = Does::Answers(status, "location: http://127.0.0.1:1/\r\n", "<html>no</html>");
        let server = Told::to(&[no, YES]).await;
        let line = server.line();
        assert_eq!(line.reader().get("/users", &[]).await.unwrap().status, status);
        assert_eq!(server.asked(), 1, "{status}");
        let server = Told::to(&[no, YES]).await;
        let came = send(&server.line(), Replay::Repeat).await;
        assert_eq!((came.status(), server.asked()), (Some(status), 1));
        assert_eq!(came.journal, ["calling 1".to_owned(), format!("answered 1 {status}")]);
    }
}

#[tokio::test]
async fn a_call_is_repeated_after_a_fault_only_where_that_does_no_harm() {
    for fault in [BUSY, Does::BreaksOff, Does::Truncates, Does::IsSilent] {
        let server = Told::to(&[fault, YES]).await;
        let came = send(&server.line(), Replay::Repeat).await;
        assert_eq!((came.status(), came.in_doubt, server.asked()), (Some(200), false, 2), "{fault:?}");
        assert_eq!(came.journal.len(), 4, "{:?}", came.journal);
        for replay in [Replay::LookFirst, Replay::AskOperator] {
            let server = Told::to(&[fault, YES]).await;
            let came = send(&server.line(), replay).await;
            assert_eq!((came.in_doubt, server.asked()), (true, 1), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_call_that_was_turned_away_unread_is_repeated_whatever_it_is() {
    let later = Does::Answers(429, "retry-after: 0\r\nserver: proxy\r\n", "Retry later");
    let server = Told::to(&[later, YES]).await;
    let came = send(&server.line(), Replay::AskOperator).await;
    assert_eq!((came.status(), came.in_doubt, server.asked()), (Some(200), false, 2));
    assert_eq!(came.journal, ["calling 1", "answered 1 429", "calling 2", "answered 2 200"]);
}

#[tokio::test]
async fn a_doubt_that_an_earlier_try_left_stays_until_there_is_a_yes() {
    let server = Told::to(&[BUSY, Does::Answers(409, "", "{}")]).await;
    let came = send(&server.line(), Replay::Repeat).await;
    assert_eq!((came.status(), came.in_doubt), (Some(409), true));
}

#[tokio::test]
async fn where_nobody_listens_the_call_was_never_sent_and_every_try_is_written_down() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let came = send(&line(url, Habits::default()), Replay::AskOperator).await;
    assert!(matches!(came.answer, Err(WireError::Unreachable { .. })));
    assert!(!came.in_doubt);
    let tries = (1..=5).flat_map(|number| [format!("calling {number}"), format!("unanswered {number}")]);
    assert_eq!(came.journal, tries.collect::<Vec<_>>());
}

#[tokio::test]
async fn repeats_are_bounded_for_the_whole_run() {
    let server = Told::to(&[BUSY]).await;
    let line = server.line();
    let budget = Budget::new(Allotment { time: None, retries: 1 });
    assert_eq!(send_within(&line, Replay::Repeat, &budget).await.status(), Some(503));
    assert_eq!(send_within(&line, Replay::Repeat, &budget).await.status(), Some(503));
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn when_the_time_of_the_run_is_over_nothing_more_is_sent() {
    let server = Told::to(&[YES]).await;
    let budget = Budget::new(Allotment { time: Some(Duration::ZERO), retries: 1 });
    let came = send_within(&server.line(), Replay::Repeat, &budget).await;
    assert!(matches!(came.answer, Err(WireError::NotAsked { .. })));
    assert_eq!((came.in_doubt, came.journal, server.asked()), (false, Vec::new(), 0));
    assert_eq!(budget.spent().unwrap(), "the time of this run is over (`apply.time`, 0 s)");
}

#[tokio::test]
async fn what_is_the_providers_last_word_is_not_asked_again_although_it_looks_like_a_fault() {
    let dialect = Dialect { is_final: |reply| reply.text().contains("existing_user_login"), ..Dialect::default() };
    let no = Does::Answers(500, "", r#"{"code":"existing_user_login"}"#);
    let server = Told::to(&[no, YES]).await;
    let came = send(&server.line_with(Habits { dialect, ..Habits::default() }), Replay::Repeat).await;
    assert_eq!((came.status(), server.asked()), (Some(500), 1));
}

#[tokio::test]
async fn a_system_that_fails_all_the_time_is_not_asked_any_more() {
    let server = Told::to(&[Does::Answers(500, "", "")]).await;
    let line = server.line_with(Habits { failures: 2, ..Habits::default() });
    let mut sent = 0;
    while line.closed().is_none() {
        send(&line, Replay::LookFirst).await;
        sent += 1;
    }
    assert_eq!((sent, server.asked()), (2, 2));
    let refusal = line.closed().unwrap();
    assert_eq!(refusal.kind, RefusalKind::Unavailable);
    assert_eq!(refusal.reason, "chat is not asked any more in this run: 2 requests in a row came to nothing");
    let came = send(&line, Replay::Repeat).await;
    assert!(matches!(came.answer, Err(WireError::NotAsked { .. })));
    assert_eq!((came.in_doubt, came.journal, server.asked()), (false, Vec::new(), 2));
}

#[tokio::test]
async fn a_token_that_ends_in_mid_run_stops_the_system_at_once() {
    let server = Told::to(&[YES, Does::Answers(401, "", "{}")]).await;
    let line = server.line();
    assert_eq!(line.reader().get("/me", &[]).await.unwrap().status, 200);
    assert_eq!(send(&line, Replay::Repeat).await.status(), Some(401));
    let reason = "chat is not asked any more in this run: it no longer accepts our credentials; renew them";
    assert_eq!(line.closed().unwrap().reason, reason);
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_token_that_never_was_good_is_told_by_the_server_each_time() {
    let server = Told::to(&[Does::Answers(401, "", "{}")]).await;
    let line = server.line();
    for _ in 0..2 {
        assert_eq!(line.reader().get("/me", &[]).await.unwrap().status, 401);
    }
    assert_eq!((line.closed(), server.asked()), (None, 2));
}

#[tokio::test]
async fn a_pause_that_is_longer_than_anybody_waits_closes_the_line() {
    let server = Told::to(&[Does::Answers(429, "retry-after: 7200\r\n", "")]).await;
    let line = server.line();
    assert_eq!(send(&line, Replay::Repeat).await.status(), Some(429));
    let reason = "chat is not asked any more in this run: it asks for a pause of 7200 s".to_owned();
    assert_eq!((line.closed().unwrap().reason, server.asked()), (reason, 1));
}

#[tokio::test]
async fn a_yes_that_is_the_last_one_for_longer_than_anybody_waits_closes_the_line() {
    let server = Told::to(&[YES]).await;
    let dialect = Dialect {
        allowance: |_| {
            let reset_in = Duration::from_hours(20);
            Some(Allowance { limit: 20, remaining: 0, reset_in, refill: Refill::Window(reset_in) })
        },
        ..Dialect::default()
    };
    let line = server.line_with(Habits { dialect, ..Habits::default() });
    assert_eq!(line.reader().get("/me", &[]).await.unwrap().status, 200);
    let next = tokio::time::timeout(Duration::from_secs(5), async { line.reader().get("/me", &[]).await });
    assert!(next.await.unwrap().is_err());
    let reason = "chat is not asked any more in this run: it asks for a pause of 72000 s".to_owned();
    assert_eq!((line.closed().unwrap().reason, server.asked()), (reason, 1));
}

/// A token of one person, for calls about the person of these tests.
fn own() -> OwnToken {
    OwnToken::new(PersonId { system: "hr".into(), key: "1".into() }, TokenKind::Oauth, Secret::new("hers"), None)
}

#[tokio::test]
async fn what_one_persons_token_is_told_makes_nobody_else_wait() {
    let busy = Does::Answers(429, "Retry-After: 600\r\nLimit: of-token\r\n", "");
    for longest in ["600", "60000"] {
        let dialect = Dialect {
            is_of_token: |reply| reply.headers.contains_key("limit"),
            allowance: |reply| {
                let reset_in = Duration::from_mins(10);
                let told = Allowance { limit: 20, remaining: 0, reset_in, refill: Refill::Window(reset_in) };
                (reply.status == 429).then_some(told)
            },
            ..Dialect::default()
        };
        // A pause of a day closes a line, and one of a person's token closes nothing.
        let long = Does::Answers(429, "Retry-After: 60000\r\nLimit: of-token\r\n", "");
        let server = Told::to(&[if longest == "600" { busy } else { long }, YES]).await;
        let line = server.line_with(Habits { dialect, ..Habits::default() });
        let (token, budget) = (own(), Budget::new(Allotment { time: Some(Duration::from_mins(5)), retries: 9 }));
        let store = Sqlite::in_memory().unwrap();
        let run = store.begin(&Plan::empty(), &Occasion::default(), "2026-11-20T00:00:00Z").unwrap();
        let call = call(Replay::Repeat);
        let mut writer = line.writer_as(&store, run, &call, &token).unwrap().within(&budget);
        // The run has not as much time, so the answer stands.
        assert_eq!(writer.send().await.unwrap().status, 429, "{longest}");
        assert_eq!(line.closed(), None, "{longest}");
        for _ in 0..8 {
            let reader = line.reader();
            let asked = tokio::time::timeout(Duration::from_secs(5), reader.get("/me", &[]));
            assert_eq!(asked.await.unwrap().unwrap().status, 200, "{longest}");
        }
    }
}

#[tokio::test]
async fn a_person_whose_token_is_turned_away_waits_as_long_as_it_says_and_asks_again() {
    let busy = Does::Answers(429, "Retry-After: 1\r\nLimit: of-token\r\n", "");
    let server = Told::to(&[busy, YES]).await;
    let dialect = Dialect { is_of_token: |reply| reply.headers.contains_key("limit"), ..Dialect::default() };
    let line = server.line_with(Habits { dialect, ..Habits::default() });
    let (token, begin) = (own(), std::time::Instant::now());
    let answer = line.reader_as(&token).get("/me", &[]).await.unwrap();
    assert_eq!((answer.status, server.asked()), (200, 2));
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_refused_token_is_not_sent_again_where_each_refusal_counts_for_everybody() {
    for locks_out in [false, true] {
        let server = Told::to(&[Does::Answers(401, "", "{}"), YES]).await;
        let line =
            server.line_with(Habits { dialect: Dialect { locks_out, ..Dialect::default() }, ..Habits::default() });
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(line.reader_as(&own()).get("/me", &[]).await.unwrap().status);
        }
        let expected = if locks_out { (vec![401; 3], 1) } else { (vec![401, 200, 200], 3) };
        assert_eq!((statuses, server.asked()), expected);
    }
}

#[tokio::test]
async fn a_form_is_sent_as_one() {
    let server = Told::to(&[YES]).await;
    let store = Sqlite::in_memory().unwrap();
    let run = store.begin(&Plan::empty(), &Occasion::default(), "2026-11-20T00:00:00Z").unwrap();
    let call = call(Replay::Repeat);
    let line = server.line();
    line.writer(&store, run, &call).send_form("/x", &json!({ "sso": "a+b=", "sig": "c d" })).await.unwrap();
    let told = server.last.lock().unwrap().clone();
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/x-www-form-urlencoded"), "{head}");
    assert_eq!(body, "sso=a%2Bb%3D&sig=c+d");
}

#[tokio::test]
async fn nobody_waits_on_a_line_that_was_hung_up() {
    let server = Told::to(&[Does::Answers(429, "retry-after: 600\r\n", ""), YES]).await;
    let line = server.line();
    let (came, ()) = tokio::join!(send(&line, Replay::Repeat), async {
        while server.asked() == 0 {
            tokio::task::yield_now().await;
        }
        line.hang_up();
    });
    assert_eq!((came.status(), came.in_doubt, server.asked()), (Some(429), false, 1));
}

#[test]
fn a_pause_is_told_in_seconds_or_as_a_date_by_the_servers_own_clock() {
    let pause = |headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Reply::new(503, headers, Vec::new()).retry_after().map(|pause| pause.as_secs())
    };
    let date = ("Date", "Fri, 20 Nov 2026 10:00:00 GMT");
    assert_eq!(pause(&[("Retry-After", " 7 ")]), Some(7));
    assert_eq!(pause(&[("Retry-After", "7"), ("Retry-After", "9")]), Some(9));
    assert_eq!(pause(&[("Retry-After", "Fri, 20 Nov 2026 10:02:00 GMT"), date]), Some(120));
    assert_eq!(pause(&[("Retry-After", "Fri, 20 Nov 2026 09:00:00 GMT"), date]), Some(0));
    assert_eq!(pause(&[("Retry-After", "Fri, 20 Nov 2026 10:02:00 GMT")]), None);
    for nonsense in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
        assert_eq!(pause(&[("Retry-After", nonsense), date]), None, "{nonsense}");
    }
    assert_eq!(json!(pause(&[])), json!(null));
}
