//! A site on loopback for the tests of this folder: it answers as it is told to, and remembers what it was asked.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::{Value as Json, json};
use url::Url;

use crate::{
    model::{capability::Scheme, secret::Secret},
    wire::{Credential, Habits, Line, Reach},
};

/// An application password as WordPress shows it.
pub(super) const PASSWORD: &str = "abcd EFGH 1234 ijkl MNOP 5678";

/// A site.
pub(super) struct Served {
    url: Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    /// By name in lower case.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Json,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Told {
    pub(super) fn json(status: u16, body: &Json) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
    }

    pub(super) fn page(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: "<!DOCTYPE html><title>Example</title>".to_owned() }
    }

    /// Part of a list of so many.
    pub(super) fn rows(rows: &[Json], total: usize) -> Self {
        Self::json(200, &json!(rows)).with("X-WP-Total", &total.to_string())
    }

    /// A no of WordPress's own.
    pub(super) fn no(status: u16, code: &str) -> Self {
        Self::json(status, &json!({ "code": code, "message": "Nein.", "data": { "status": status } }))
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What a real site answered.
    pub(super) fn recorded(name: &str) -> Self {
        let response = recorded(name)["response"].take();
        let told = match &response["body"] {
            Json::Null => Self { body: response["body_text"].as_str().unwrap_or_default().to_owned(), ..Self::page(0) },
            body => Self::json(0, body),
        };
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        let headers = response["headers"].as_array().unwrap().iter();
        let kept = headers.filter(|pair| pair[0] == "Retry-After" || pair[0].as_str().unwrap().starts_with("X-WP-"));
        let pair = |pair: &Json| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned());
        Self { status, headers: kept.map(pair).collect(), ..told }
    }
}

/// A whole recording.
pub(super) fn recorded(name: &str) -> Json {
    let file = format!("{}/tests/samples/wordpress/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))).unwrap()
}

impl Served {
    pub(super) fn answering(answer: impl FnMut(&Asked) -> Told + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let memory = Arc::clone(&asked);
        let mut answer = answer;
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = request(&stream) else { continue };
                let told = answer(&request);
                memory.lock().unwrap().push(request);
                let mut text = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", told.status);
                for (name, value) in &told.headers {
                    text.extend([name, ": ", value, "\r\n"]);
                }
                text.extend([&format!("content-length: {}\r\n\r\n", told.body.len()), told.body.as_str()]);
                stream.write_all(text.as_bytes()).unwrap();
            }
        });
        Self { url, asked }
    }

    /// A site of these users on which we are an administrator, unless `special` answers instead.
    pub(super) fn site(users: Vec<Json>, mut special: impl FnMut(&Asked) -> Option<Told> + Send + 'static) -> Self {
        Self::answering(move |asked| special(asked).unwrap_or_else(|| usual(asked, &users)))
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Method and path of every request so far.
    pub(super) fn paths(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    pub(super) fn line(&self) -> Line {
        Line::new(Reach {
            system: "website".into(),
            url: self.url.clone(),
            credential: Credential::basic("homeward", &Secret::new(PASSWORD)),
            scheme: Scheme::Basic,
            concurrency: 4,
            timeout: Duration::from_secs(10),
            habits: Habits::default(),
            route: crate::wire::Route::default(),
        })
        .unwrap()
    }
}

/// A user as those see her who may edit her.
pub(super) fn user(id: u64, username: &str, email: &str) -> Json {
    json!({
        "id": id, "username": username, "name": username, "first_name": "", "last_name": "", "nickname": username,
        "email": email, "url": "", "locale": "en_US", "roles": ["subscriber"],
    })
}

/// So many users.
pub(super) fn crowd(count: u64) -> Vec<Json> {
    (1..=count).map(|id| user(id, &format!("user{id}"), &format!("user{id}@example.org"))).collect()
}

/// What a site answers to reads.
pub(super) fn usual(asked: &Asked, users: &[Json]) -> Told {
    let route = match asked.path.strip_prefix("/wp-json") {
        Some(route) => route.to_owned(),
        None => return Told::page(404),
    };
    if asked.query.get("context").map(String::as_str) != Some("edit") {
        return Told::no(400, "the_test_wants_context_edit");
    }
    if route == "/wp/v2/users/me" {
        return Told::json(
            200,
            &json!({ "id": 1, "username": "homeward", "email": "h@example.org", "roles": ["administrator"],
                "capabilities": { "list_users": true, "edit_users": true } }),
        );
    }
    if let Some(id) = route.strip_prefix("/wp/v2/users/") {
        let found = users.iter().find(|user| user["id"].as_u64() == id.parse().ok());
        return found.map_or_else(|| Told::no(404, "rest_user_invalid_id"), |user| Told::json(200, user));
    }
    let number = |key: &str, usual: usize| asked.query.get(key).map_or(usual, |text| text.parse().unwrap());
    let is_meant = |user: &&Json| {
        let id = user["id"].to_string();
        let included = asked.query.get("include").is_none_or(|ids| ids.split(',').any(|one| one == id));
        let held = asked.query.get("search").is_none_or(|text| {
            let column = user[asked.query["search_columns"].as_str()].as_str().unwrap().to_lowercase();
            column.contains(&text.to_lowercase())
        });
        included && held
    };
    let meant: Vec<Json> = users.iter().filter(is_meant).cloned().collect();
    let size = number("per_page", 10);
    let rows: Vec<Json> = meant.iter().skip((number("page", 1) - 1) * size).take(size).cloned().collect();
    Told::rows(&rows, meant.len())
}

fn request(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let first = next()?;
    let mut words = first.split(' ');
    let mut asked = Asked { method: words.next()?.to_owned(), ..Asked::default() };
    let target = words.next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    path.clone_into(&mut asked.path);
    asked.query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    while let Some((name, value)) = next()?.split_once(": ") {
        asked.headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = asked.headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    asked.body = serde_json::from_slice(&body).unwrap_or_default();
    Some(asked)
}
