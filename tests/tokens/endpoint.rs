//! An address that gives tokens, and rotates refresh tokens as a strict server does: one that was spent gives nothing.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// What is given for a refresh token, once: an access token, and the next refresh token.
type Grants = BTreeMap<String, (String, Option<String>)>;

#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    grants: Arc<Mutex<Grants>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// One that gives these, and takes this long to answer.
    pub(crate) fn new(grants: &[(&str, &str, Option<&str>)], pause: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/oauth/access_token", listener.local_addr().unwrap());
        let grant = |(refresh, access, next): &(&str, &str, Option<&str>)| {
            ((*refresh).to_owned(), ((*access).to_owned(), next.map(str::to_owned)))
        };
        let endpoint =
            Self { url, grants: Arc::new(Mutex::new(grants.iter().map(grant).collect())), asked: Arc::default() };
        let served = endpoint.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let served = served.clone();
                thread::spawn(move || served.serve(stream.unwrap(), pause));
            }
        });
        endpoint
    }

    /// The refresh tokens that came, in order, each with the client that sent it.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn serve(&self, mut stream: TcpStream, pause: Duration) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let head: Vec<String> =
            reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
        let word = |key: &str| form.get(key).cloned().unwrap_or_default();
        assert_eq!(word("grant_type"), "refresh_token");
        assert!(head[0].starts_with("POST /oauth/access_token "), "{head:?}");
        assert!(!head.iter().any(|line| line.to_lowercase().starts_with("authorization")), "{head:?}");
        let refresh = word("refresh_token");
        self.asked.lock().unwrap().push(format!("{refresh} {} {}", word("client_id"), word("client_secret")));
        let granted = self.grants.lock().unwrap().remove(&refresh);
        thread::sleep(pause);
        let (status, answer) = match granted {
            Some((access, Some(next))) => (
                "200 OK",
                format!(
                    r#"{{"access_token":"{access}","refresh_token":"{next}","expires_in":3600,"token_type":"bearer"}}"#
                ),
            ),
            Some((access, None)) => ("200 OK", format!(r#"{{"access_token":"{access}","token_type":"bearer"}}"#)),
            None => ("400 Bad Request", r#"{"error":"invalid_grant","error_description":"c4nary"}"#.to_owned()),
        };
        let _ = write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
            answer.len()
        );
    }
}
