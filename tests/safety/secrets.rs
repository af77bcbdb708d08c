//! A secret leaves the program in a header and in no other way.

use std::process::Command;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    common::Ran,
    company::{Company, PROVIDERS, files},
    server::{Answer, Request, Server, forward},
};

/// Signs that every way of writing a text down would change.
const CANARY: &str = "c4nary+t0ken/with=\"signs\"&%7e\\end";

/// The ways in which a canary may hide.
fn disguises(secret: &str) -> Vec<String> {
    let json = json!(secret).to_string();
    let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    // Base64 of a text in the middle of another one begins in one of three places: what they share is looked for.
    let shifted = (0..3).map(|shift| {
        let text = STANDARD.encode(format!("{}{secret}", " ".repeat(shift)));
        text[4..text.len() - 4].to_owned()
    });
    let debug = format!("{secret:?}");
    let plain = [secret.to_owned(), json[1..json.len() - 1].to_owned(), debug[1..debug.len() - 1].to_owned(), url];
    plain.into_iter().chain(shifted).collect()
}

fn assert_hidden(secrets: &[String], what: &str, bytes: &[u8]) {
    for secret in secrets {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{what} shows `{secret}`");
    }
}

fn run(company: &Company, secrets: &[String], arguments: &[&str]) -> Ran {
    let ran = company.world.homeward(arguments);
    assert_hidden(secrets, &format!("stdout of {arguments:?}"), ran.stdout.as_bytes());
    assert_hidden(secrets, &format!("stderr of {arguments:?}"), ran.stderr.as_bytes());
    assert!(!ran.stderr.contains("panicked"), "{arguments:?}: {}", ran.stderr);
    for (name, bytes) in files(&company.world.path("")) {
        if !name.starts_with("secret") && !name.starts_with("lab/") {
            assert_hidden(secrets, &format!("{name} after {arguments:?}"), &bytes);
        }
    }
    ran
}

/// Lets a server before the lab take the canary for the token.
fn with_token(request: &Request, token: &str) -> Request {
    let mut request = request.clone();
    for value in request.headers.values_mut() {
        *value = value.replace(CANARY, token);
    }
    request
}

#[test]
fn a_token_is_in_no_output_no_file_and_no_error_however_the_server_behaves() {
    let mut company = Company::new();
    let tokens = PROVIDERS.map(|system| company.world.token(system));
    for (system, token) in PROVIDERS.iter().zip(tokens.clone()) {
        let upstream = company.world.url(system);
        company.servers[system].behave(move |request| forward(&upstream, &with_token(request, &token)));
    }
    let world = std::mem::take(&mut company.world);
    let world =
        world.variable("GITLAB_TOKEN", CANARY).variable("ZITADEL_TOKEN", CANARY).variable("RUST_BACKTRACE", "1");
    let config = world.read("homeward.toml").replace("{ env = \"MATTERMOST_TOKEN\" }", "{ file = \"secret\" }");
    company.world =
        world.variable("RUST_LOG", "trace").file("homeward.toml", &config).file("secret", &format!("{CANARY}\n"));
    let secrets = disguises(CANARY);
    let commands: [&[&str]; 9] = [
        &["check", "-vv"],
        &["check", "--connect", "-vv"],
        &["check", "--connect", "--format", "json"],
        &["plan", "hr=people.csv", "--out", "saved.json", "-vv"],
        &["plan", "hr=people.csv", "--format", "json"],
        &["owners"],
        &["apply", "saved.json", "--yes", "-vv", "--format", "json"],
        &["apply", "hr=people.csv", "--yes", "-vv"],
        &["runs", "1", "--format", "json"],
    ];
    for command in commands {
        let ran = run(&company, &secrets, command);
        assert_eq!(ran.status, 0, "{command:?}: {}{}", ran.stdout, ran.stderr);
    }
    let carried = |server: &Server| {
        let bearer = format!("Bearer {CANARY}");
        let proof = |request: &Request| request.headers.values().any(|value| *value == CANARY || *value == bearer);
        server.requests().iter().all(proof)
    };
    assert!(company.servers.values().all(carried), "the canary is what was sent");
    for server in company.servers.values() {
        let shown = server
            .requests()
            .iter()
            .map(|request| format!("{} {}", request.target, request.json()))
            .collect::<String>();
        assert_hidden(&secrets, "an address or a body", shown.as_bytes());
    }

    // Generated passwords are sent and nowhere else.
    let bodies: Vec<Value> = company.servers["mattermost"].requests().iter().map(Request::json).collect();
    let passwords: Vec<String> =
        bodies.iter().filter_map(|body| Some(body.get("password")?.as_str()?.to_owned())).collect();
    assert_eq!(passwords.len(), 1);
    for (name, bytes) in files(&company.world.path("")) {
        assert_hidden(&passwords, &name, &bytes);
    }

    // A server that says back what it was sent, in every place where we may look, and connections that break.
    let echo = |status: u16| {
        move |request: &Request| {
            let told = request.headers.get("authorization").or_else(|| request.headers.get("private-token"));
            let told = told.cloned().unwrap_or_default();
            let body = json!({ "id": told, "message": told, "error": told, "error_description": told, "code": told,
                "detailed_error": told, "username": told, "details": [{ "id": told, "message": told }] });
            let headers = vec![("content-type", "application/json".to_owned()), ("www-authenticate", told)];
            Answer::Reply(status, headers, body.to_string().into_bytes())
        }
    };
    let failing: [&[&str]; 5] = [
        &["check", "--connect", "-vv"],
        &["check", "--connect", "--format", "json"],
        &["plan", "hr=people.csv", "-vv"],
        &["plan", "hr=people.csv", "--format", "json"],
        &["apply", "hr=people.csv", "--yes", "-vv"],
    ];
    for status in [400, 401, 403, 200] {
        company.servers.values().for_each(|server| server.behave(echo(status)));
        for command in failing {
            let ran = run(&company, &secrets, command);
            assert_eq!(ran.status, 5, "{status} {command:?}: {}{}", ran.stdout, ran.stderr);
        }
    }
    // The same on writes, where the answer is kept.
    for (system, token) in PROVIDERS.iter().zip(tokens) {
        let upstream = company.world.url(system);
        company.servers[system].behave(move |request| {
            if request.is_read() { forward(&upstream, &with_token(request, &token)) } else { echo(403)(request) }
        });
    }
    company.world.write("people.csv", crate::company::PEOPLE.replace("Quarterstaff", "Newname").as_bytes());
    let ran = run(&company, &secrets, &["apply", "hr=people.csv", "--yes", "-vv"]);
    assert_eq!(ran.status, 7, "{}{}", ran.stdout, ran.stderr);
    let ran = run(&company, &secrets, &["runs", "3", "--format", "json"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    for behaviour in [|| Answer::Close, || Answer::Bytes(b"nonsense\r\n\r\n".to_vec())] {
        company.servers.values().for_each(|server| server.behave(move |_| behaviour()));
        assert_eq!(run(&company, &secrets, &["check", "--connect", "-vv"]).status, 5);
    }
}

#[test]
fn a_token_that_no_header_can_carry_is_refused_without_being_shown() {
    let company = Company::new();
    for odd in ["c4nary\ntoken", "c4nary\r\nX-Evil: 1", "c4nary\u{7}"] {
        company.world.write("secret", odd.as_bytes());
        let config = company.world.read("homeward.toml").replace("{ env = \"GITLAB_TOKEN\" }", "{ file = \"secret\" }");
        company.world.write("homeward.toml", config.as_bytes());
        let ran = company.world.homeward(&["plan", "hr=people.csv", "-vv"]);
        assert_eq!(ran.status, 5, "{}", ran.stderr);
        assert!(!ran.stderr.contains("c4nary"), "{}", ran.stderr);
        assert_eq!(company.servers["gitlab"].requests().len(), 0);
    }
}

#[test]
fn a_key_signs_in_at_zitadel_and_is_shown_to_nobody() {
    let openssl = |arguments: &[&str], folder: &std::path::Path| {
        let status = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    };
    let folder = tempfile::tempdir().unwrap();
    openssl(&["genrsa", "-traditional", "-out", "key.pem", "2048"], folder.path());
    openssl(&["rsa", "-in", "key.pem", "-pubout", "-out", "public.pem"], folder.path());
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let robot = json!({
        "users": [{ "id": "900", "organization": "org1", "username": "robot", "machine": true }],
        "tokens": [{ "user": "robot", "roles": ["IAM_OWNER"] }],
        "keys": [{ "key_id": "k1", "user": "robot", "public_key_pem": read("public.pem") }],
    });
    let company = Company::with(&robot, "");
    let key = read("key.pem");
    let file = json!({ "type": "serviceaccount", "keyId": "k1", "key": key, "userId": "900" }).to_string();
    company.world.write("secret.json", file.as_bytes());
    let config = company.world.read("homeward.toml");
    let config = config.replace("token = { env = \"ZITADEL_TOKEN\" }", "key = { file = \"secret.json\" }");
    company.world.write("homeward.toml", config.as_bytes());
    // Lines of the key, the assertion's signature and the token that was issued.
    let mut secrets: Vec<String> = key.lines().filter(|line| line.len() > 40).map(str::to_owned).collect();
    secrets.push("lab-zitadel-issued".to_owned());
    for command in [
        &["check", "--connect", "-vv"][..],
        &["plan", "hr=people.csv", "-vv", "--out", "saved.json"],
        &["apply", "saved.json", "--yes", "-vv"],
        &["runs", "1", "--format", "json"],
    ] {
        let ran = run(&company, &secrets, command);
        assert_eq!(ran.status, 0, "{command:?}: {}{}", ran.stdout, ran.stderr);
    }
    let requests = company.servers["zitadel"].requests();
    let logins = requests.iter().filter(|request| request.line() == "POST /oauth/v2/token").count();
    assert_eq!(logins, 3, "one for each command that asks, not one for each request");
    assert!(requests.iter().any(|request| !request.is_read()), "something was written with it");

    // A server that refuses the key, gives no token, or one that lives for ever.
    let upstream = company.world.url("zitadel");
    for (answer, status) in [(Answer::json as fn(u16, &Value) -> Answer, 401), (Answer::json, 200)] {
        let keep = upstream.clone();
        company.servers["zitadel"].behave(move |request| match request.line().as_str() {
            "POST /oauth/v2/token" => {
                let assertion = String::from_utf8_lossy(&request.body).into_owned();
                answer(status, &json!({ "error": assertion, "error_description": assertion }))
            }
            _ => forward(&keep, request),
        });
        let mut secrets = secrets.clone();
        secrets.push("assertion=".to_owned());
        let ran = run(&company, &secrets, &["check", "--connect", "-vv"]);
        assert_eq!(ran.status, 5, "{}{}", ran.stdout, ran.stderr);
    }
    company.servers["zitadel"].behave(move |request| match request.line().as_str() {
        "POST /oauth/v2/token" => {
            crate::server::forward_changed(&upstream, request, |body| body["expires_in"] = u64::MAX.into())
        }
        _ => forward(&upstream, request),
    });
    let ran = run(&company, &secrets, &["check", "--connect", "-vv"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
}
