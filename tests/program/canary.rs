//! A secret leaves the program in a header and in no other way. Every command is run with secrets that sing when they are
//! seen, at providers that are honest and at ones that say back all they were sent, and every byte that the program wrote
//! anywhere is searched for them in every way of writing them down.
//!
//! The tokens of the lab itself stand in `.homeward/lab.json` by design, for whoever tries something on it: they open
//! nothing else. The canaries are what the program was given as its own.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its world fails"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
};

use crate::common::{Ran, World};
use crate::company::{Company, files};
use crate::server::{Answer, Request, Server, forward};
use async_trait::async_trait;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use homeward::{
    connector::{Connector, ConnectorError, Kind, Standing, unavailable},
    model::{
        account::{Account, Observed, Wanted},
        capability::{AttributeCapability, Capabilities, Change, Foresight, Replay, Scheme, Support},
        plan::{Call, Operation, Request as Asked},
        refusal::Refusal,
    },
    wire::{Reader, Writer},
};
use regex::bytes::{Regex, RegexBuilder};
use serde_json::json;

/// One secret, with signs that every way of writing a text down would change.
struct Canary {
    name: &'static str,
    secret: String,
}

fn canaries() -> Vec<Canary> {
    let sung =
        |name: &'static str, signs: &str| Canary { name, secret: format!("c4nary+{name}/with=\"{signs}\"&%7e\\end") };
    vec![
        sung("gitlab", "a"),
        sung("mattermost", "b"),
        // A login's password travels without blanks, and stands in Base64 with the login.
        Canary { name: "website", secret: "c4naryWebsitePasswordABCDEF".to_owned() },
        sung("proxy", "d"),
        Canary { name: "hook", secret: format!("whsec_{}", STANDARD.encode("c4nary of the webhook, 32 bytes.")) },
        Canary { name: "former", secret: format!("whsec_{}", STANDARD.encode("c4nary that was used before this.")) },
    ]
}

/// The ways in which a secret may hide in other text.
fn disguises(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    let json = json!(secret).to_string();
    let debug = format!("{secret:?}");
    let url: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let hex = secret.bytes().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let spelt = [
        secret.to_owned(),
        json[1..json.len() - 1].to_owned(),
        json[1..json.len() - 1].replace('/', "\\/"),
        debug[1..debug.len() - 1].to_owned(),
        url.replace('+', "%20"),
        url.to_lowercase(),
        url,
        hex.to_uppercase(),
        hex,
        secret.replace('&', "&amp;").replace('"', "&quot;"),
    ];
    all.extend(spelt.map(String::into_bytes));
    // Base64 of a text in the middle of another one begins in one of three places: what they share is looked for.
    for shift in 0..3 {
        let shifted = format!("{}{secret}", " ".repeat(shift));
        for text in [STANDARD.encode(&shifted), URL_SAFE.encode(&shifted)] {
            all.insert(text.as_bytes()[4..text.len() - 4].to_vec());
        }
    }
    all
}

/// What is searched for, by the name of its secret.
struct Cage {
    songs: Vec<(String, BTreeSet<Vec<u8>>)>,
    any: Regex,
}

impl Cage {
    fn new(songs: Vec<(String, BTreeSet<Vec<u8>>)>) -> Self {
        let escaped = |song: &Vec<u8>| regex::escape(std::str::from_utf8(song).unwrap());
        let words: Vec<String> = songs.iter().flat_map(|(_, songs)| songs.iter().map(escaped)).collect();
        Self { songs, any: RegexBuilder::new(&words.join("|")).size_limit(100 << 20).build().unwrap() }
    }

    fn and(mut self, more: impl IntoIterator<Item = String>) -> Self {
        self.songs.extend(more.into_iter().map(|secret| ("generated password".to_owned(), disguises(&secret))));
        Self::new(self.songs)
    }
}

fn assert_silent(cage: &Cage, what: &str, bytes: &[u8]) {
    if let Some(found) = cage.any.find(bytes) {
        let name = cage.songs.iter().find(|(_, songs)| songs.contains(found.as_bytes())).map(|(name, _)| name);
        panic!("{what} shows `{}` of {name:?}", String::from_utf8_lossy(found.as_bytes()));
    }
}

/// A company, a website, a proxy, and the secrets of all of them.
struct Aviary {
    company: Company,
    website: Server,
    cage: Cage,
    /// What each server takes for its token, and what it is in the lab.
    tokens: BTreeMap<&'static str, String>,
    /// The first words of every command that was run.
    sung: BTreeSet<String>,
    /// The files as they were when they were searched last.
    searched: BTreeMap<String, Vec<u8>>,
}

const SYSTEMS: [&str; 4] = ["gitlab", "mattermost", "zitadel", "website"];

impl Aviary {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let openssl = |arguments: &[&str]| {
            let done = Command::new("openssl").args(arguments).current_dir(folder.path()).output().unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        openssl(&["genrsa", "-traditional", "-out", "key.pem", "2048"]);
        openssl(&["rsa", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        let robot = json!({
            "users": [{ "id": "900", "organization": "org1", "username": "robot", "machine": true }],
            "tokens": [{ "user": "robot", "roles": ["IAM_OWNER"] }],
            "keys": [{ "key_id": "k1", "user": "robot", "public_key_pem": read("public.pem") }],
        });
        let site = "[systems.website]\nkind = \"wordpress\"\nurl = \"https://website.example.com\"\nusername = \"homeward\"\n\
                    token = { env = \"WEBSITE\" }\nwebhook = { listen = \"127.0.0.1:0\", secret = { file = \"secret-hook\" }, \
                    former_secret = { env = \"FORMER\" } }\n";
        let mut company = Company::with(&robot, site);
        let website = Server::before(&company.world.url("website"));
        let mut tokens: BTreeMap<&'static str, String> = BTreeMap::new();
        for system in SYSTEMS {
            tokens.insert(system, company.world.token(system));
        }
        let canaries = canaries();
        let secret = |name: &str| canaries.iter().find(|canary| canary.name == name).unwrap().secret.clone();
        let key = read("key.pem");
        let key_file = json!({ "type": "serviceaccount", "keyId": "k1", "key": key, "userId": "900" }).to_string();
        let proxy = format!(
            "token = {{ env = \"GITLAB_TOKEN\" }}\nproxy = {{ url = \"{}\", username = \"jane\", password = {{ env = \"PROXY\" }} }}",
            company.servers["gitlab"].url
        );
        let config = company
            .world
            .read("homeward.toml")
            .replace("token = { env = \"GITLAB_TOKEN\" }", &proxy)
            .replace("{ env = \"MATTERMOST_TOKEN\" }", "{ file = \"secret-mattermost\" }")
            .replace("token = { env = \"ZITADEL_TOKEN\" }", "key = { file = \"secret-key.json\" }")
            .replace("https://website.example.com", &website.url);
        let rules = format!(
            "{}\nowner(\"nickname\", \"website\");\nsource(\"website\", |user| #{{ key: user.id, nickname: user.nickname }});\n\
             test(\"a rule is tried\", || {{ assert_eq(1, 1); }});\n",
            crate::company::RULES
        );
        let world = std::mem::take(&mut company.world)
            .variable("GITLAB_TOKEN", &secret("gitlab"))
            .variable("PROXY", &secret("proxy"))
            .variable("WEBSITE", &secret("website"))
            .variable("FORMER", &secret("former"))
            .variable("RUST_BACKTRACE", "full")
            .variable("RUST_LOG", "trace")
            .file("secret-mattermost", &format!("{}\n", secret("mattermost")))
            .file("secret-hook", &secret("hook"))
            .file("secret-key.json", &key_file)
            .file("rules/people.rhai", &rules)
            .file("homeward.toml", &config);
        company.world = world;
        let mut cage: Vec<(String, BTreeSet<Vec<u8>>)> =
            canaries.iter().map(|canary| (canary.name.to_owned(), disguises(&canary.secret))).collect();
        cage.push(("login".to_owned(), disguises(&format!("homeward:{}", secret("website")))));
        cage.push(("proxy login".to_owned(), disguises(&format!("jane:{}", secret("proxy")))));
        for line in key.lines().filter(|line| line.len() > 40) {
            cage.push(("key".to_owned(), BTreeSet::from([line.as_bytes().to_vec()])));
        }
        let words = ["lab-zitadel-issued", "assertion=ey", "c4nary"];
        cage.extend(words.map(|word| ("words".to_owned(), BTreeSet::from([word.as_bytes().to_vec()]))));
        let cage = Cage::new(cage);
        let aviary = Self { company, website, cage, tokens, sung: BTreeSet::new(), searched: BTreeMap::new() };
        aviary.behave(forward);
        aviary
    }

    /// Lets every server behave like that, with the request as the lab would take it.
    fn behave(&self, behaviour: impl Fn(&str, &Request) -> Answer + Send + Sync + Copy + 'static) {
        for system in SYSTEMS {
            let server = if system == "website" { &self.website } else { &self.company.servers[system] };
            let (upstream, token) = (self.company.world.url(system), self.tokens[system].clone());
            server.behave(move |request| behaviour(&upstream, &as_lab_takes_it(request, &token)));
        }
    }

    /// Runs a command and searches all that it wrote.
    fn run(&mut self, arguments: &[&str]) -> Ran {
        let mut command = self.company.world.command();
        command.args(arguments);
        let ran = Ran::of(&mut command);
        self.search(arguments, &ran);
        ran
    }

    fn search(&mut self, arguments: &[&str], ran: &Ran) {
        self.sung.extend(arguments.iter().find(|word| !word.starts_with('-')).map(ToString::to_string));
        assert!(![1, 101, 134].contains(&ran.status), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        assert_silent(&self.cage, &format!("stdout of {arguments:?}"), ran.stdout.as_bytes());
        assert_silent(&self.cage, &format!("stderr of {arguments:?}"), ran.stderr.as_bytes());
        for (name, bytes) in files(&self.company.world.path("")) {
            if !name.starts_with("secret-") && self.searched.get(&name) != Some(&bytes) {
                assert_silent(&self.cage, &format!("{name} after {arguments:?}"), &bytes);
                self.searched.insert(name, bytes);
            }
        }
    }

    /// Serves until `word` stands in the log, then ends it as a manager does.
    fn watch(&mut self, word: &str) {
        let arguments = ["watch", "--apply", "-vv"];
        let mut child =
            self.company.world.command().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut told = String::new();
        while !told.contains(word) && log.read_line(&mut told).unwrap() > 0 {}
        assert!(told.contains(word), "{told}");
        let ended = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(ended.success());
        log.read_to_string(&mut told).unwrap();
        let output = child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        self.search(&arguments, &Ran { status: output.status.code().unwrap_or(-1), stdout, stderr: told });
    }
}

/// A request with the lab's token in the place of ours, and without what a proxy takes off.
fn as_lab_takes_it(request: &Request, token: &str) -> Request {
    let mut request = request.clone();
    if let Some(whole) = request.target.strip_prefix("http://") {
        request.target = whole[whole.find('/').unwrap_or_default()..].to_owned();
    }
    for (name, value) in &mut request.headers {
        let is_ours = value.contains("c4nary") || value.contains(&STANDARD.encode("homeward:c4nary")[..14]);
        if is_ours && name == "authorization" && value.starts_with("Basic ") {
            *value = format!("Basic {}", STANDARD.encode(format!("homeward:{}", token.replace(' ', ""))));
        } else if is_ours && value.starts_with("Bearer ") {
            *value = format!("Bearer {token}");
        } else if is_ours && name != "proxy-authorization" {
            token.clone_into(value);
        }
    }
    request
}

/// Says back all it was sent: every header, the address and the body, in every place where somebody may look.
fn echo(status: u16, kind: &str, request: &Request) -> Answer {
    let told = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n");
    let told = format!("{told}\n{}\n{}", request.target, String::from_utf8_lossy(&request.body));
    let coded = STANDARD.encode(&told);
    let in_address: String = url::form_urlencoded::byte_serialize(told.as_bytes()).collect();
    let secrets: Vec<&String> = request.headers.values().collect();
    let body = match kind {
        "text/html" => format!("<title>{told}</title><pre>{}</pre>", told.replace('&', "&amp;").replace('"', "&quot;")),
        "text/plain" => told.clone(),
        _ => json!({ "id": told, "message": told, "error": told, "error_description": in_address, "code": told,
            "detailed_error": told, "username": told, "userId": told, "result": [told], "headers": request.headers,
            "details": [{ "id": told, "message": secrets }], "data": { "status": status, "params": { "name": told } } })
        .to_string(),
    };
    let one_line: String = told.chars().filter(|c| !c.is_control()).collect();
    let mut headers =
        vec![("content-type", kind.to_owned()), ("www-authenticate", one_line.clone()), ("x-echo", one_line)];
    headers.push(("location", format!("http://127.0.0.1:9/?{in_address}")));
    // Where a server codes what it says back, as a debug page does, the whole of it is coded.
    headers.push(("x-debug", coded));
    Answer::Reply(status, headers, body.into_bytes())
}

#[test]
fn every_command_keeps_every_secret() {
    let mut aviary = Aviary::new();
    let honest: [(&[i32], &[&str]); 29] = [
        (&[0], &["init", "new"]),
        (&[0, 2], &["check", "-vv"]),
        (&[0], &["check", "--connect", "-vv"]),
        (&[0], &["check", "--connect", "--format", "json"]),
        (&[0], &["check", "hr=people.csv", "-vv"]),
        (&[0], &["plan", "hr=people.csv", "--out", "saved.json", "-vv"]),
        (&[0], &["plan", "hr=people.csv", "--format", "json"]),
        (&[0], &["compare", "rules", "rules", "hr=people.csv", "-vv"]),
        (&[0], &["explain", "hr/1001", "hr=people.csv", "-vv"]),
        (&[0], &["apply", "saved.json", "--yes", "-vv", "--format", "json"]),
        (&[0], &["apply", "hr=people.csv", "--yes", "-vv"]),
        (&[0, 2], &["explain", "hr/1001", "--format", "json"]),
        (&[0], &["runs"]),
        (&[0], &["runs", "--verify"]),
        (&[0], &["token", "list"]),
        (&[0, 4, 7], &["undo", "2", "--yes", "-vv"]),
        (&[0], &["link", "hr/1001", "gitlab:1", "-vv"]),
        (&[0], &["unlink", "hr/1001", "gitlab:1", "--by", "Ada"]),
        (&[0], &["runs", "1", "--format", "json"]),
        (&[0, 4, 5], &["watch", "--once", "-vv"]),
        (&[0, 4], &["status", "--format", "json"]),
        (&[0, 2, 4], &["approve", "9", "--yes"]),
        (&[0, 2, 4], &["reject", "9"]),
        (&[0], &["test", "-vv"]),
        (&[0], &["owners", "--mermaid"]),
        (&[0], &["docs"]),
        (&[0], &["schema"]),
        (&[0], &["completions", "bash"]),
        (&[0, 2], &["lab", "show", "gitlab"]),
    ];
    for (allowed, arguments) in honest {
        let ran = aviary.run(arguments);
        assert!(allowed.contains(&ran.status), "{arguments:?}: {} {}{}", ran.status, ran.stdout, ran.stderr);
    }
    aviary.watch("listening");

    // The canaries are what was sent, so that silence proves something.
    let sent = |server: &Server, name: &str, value: &str| {
        server.requests().iter().any(|request| request.headers.get(name).is_some_and(|header| header == value))
    };
    let canary = |name: &str| canaries().into_iter().find(|canary| canary.name == name).unwrap().secret;
    let basic = |login: &str, name: &str| format!("Basic {}", STANDARD.encode(format!("{login}:{}", canary(name))));
    let gitlab = &aviary.company.servers["gitlab"];
    assert!(sent(gitlab, "proxy-authorization", &basic("jane", "proxy")));
    assert!(
        gitlab.requests().iter().any(|request| request.headers.values().any(|value| value.contains(&canary("gitlab"))))
    );
    assert!(sent(&aviary.company.servers["mattermost"], "authorization", &format!("Bearer {}", canary("mattermost"))));
    assert!(sent(&aviary.website, "authorization", &basic("homeward", "website")));
    assert!(aviary.company.servers["zitadel"].requests().iter().any(|request| request.path() == "/oauth/v2/token"));
    // Nothing of them stands in an address or in a body, but for the one assertion that signs in.
    for system in SYSTEMS {
        let server = if system == "website" { &aviary.website } else { &aviary.company.servers[system] };
        for request in server.requests().iter().filter(|request| request.path() != "/oauth/v2/token") {
            let shown = [request.target.as_bytes(), b"\n", request.body.as_slice()].concat();
            assert_silent(&aviary.cage, &format!("{system}: {}", request.line()), &shown);
        }
    }
    // Generated passwords are sent, and are nowhere else.
    let bodies = aviary.company.servers.values().flat_map(Server::requests).map(|request| request.json());
    let passwords: BTreeSet<String> =
        bodies.filter_map(|body| Some(body.get("password")?.as_str()?.to_owned())).collect();
    assert!(!passwords.is_empty());
    aviary.cage = aviary.cage.and(passwords);
    aviary.searched.clear();

    // Servers that say back what they were sent.
    aviary.company.world.write("people.csv", crate::company::PEOPLE.replace("Quarterstaff", "Newname").as_bytes());
    let failing: [&[&str]; 5] = [
        &["check", "--connect", "-vv"],
        &["check", "--connect", "--format", "json"],
        &["plan", "hr=people.csv", "-vv"],
        &["apply", "hr=people.csv", "--yes", "-vv", "--format", "json"],
        &["watch", "--once", "-vv"],
    ];
    let echoes: [fn(&str, &Request) -> Answer; 4] = [
        |_, request| echo(403, "application/json", request),
        |_, request| echo(200, "application/json", request),
        |_, request| echo(401, "text/html", request),
        |_, request| echo(404, "text/plain", request),
    ];
    for behaviour in echoes {
        aviary.behave(behaviour);
        for arguments in failing {
            aviary.run(arguments);
        }
    }
    // The same on writes, where the answer is kept.
    let echoes: [fn(&str, &Request) -> Answer; 4] = [
        |upstream, request| {
            if request.is_read() { forward(upstream, request) } else { echo(403, "application/json", request) }
        },
        |upstream, request| {
            if request.is_read() { forward(upstream, request) } else { echo(422, "text/html", request) }
        },
        |upstream, request| {
            if request.is_read() { forward(upstream, request) } else { echo(200, "text/plain", request) }
        },
        |upstream, request| {
            if request.is_read() { forward(upstream, request) } else { echo(201, "application/json", request) }
        },
    ];
    for behaviour in echoes {
        aviary.behave(behaviour);
        let ran = aviary.run(&["apply", "hr=people.csv", "--yes", "-vv"]);
        assert!(![0, 5].contains(&ran.status), "{}{}", ran.stdout, ran.stderr);
    }
    aviary.run(&["runs", "--format", "json"]);
    aviary.run(&["resume", "-vv"]);

    let help = aviary.company.world.homeward(&["--help"]).stdout;
    let listed = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands: BTreeSet<String> = listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| name != "help")
        .collect();
    let missed: Vec<&String> = commands.difference(&aviary.sung).collect();
    assert!(commands.len() > 15 && missed.is_empty(), "not run with a canary: {missed:?} of {commands:?}");
}

/// People's own tokens, in a file and in the store: with them go the key of the store, refresh tokens and the secret of the
/// application.
#[test]
fn every_command_keeps_what_people_gave() {
    let song = |name: &str, sign: &str| format!("c4nary+{name}/with=\"{sign}\"&%7e\\end");
    let seed = json!({
        "users": [{ "username": "ann", "email": "ann@example.com" }, { "username": "ben", "email": "ben@example.com" }],
        "tokens": [{ "user": "ann", "kind": "oauth", "token": "lab-ann" }, { "user": "ben", "kind": "oauth", "token": "lab-ben" }],
    });
    let lab =
        "[systems.chat]\nkind = \"mattermost\"\nurl = \"https://chat.example.com\"\ntoken = { env = \"TOKEN\" }\n";
    let mut world = World::new().file("lab.toml", lab).file("lab/chat.json", &seed.to_string());
    world.start_lab(&["-c", "lab.toml"]);
    let upstream = world.url("chat");
    let server = Server::before(&upstream);
    let people = ["ann", "ben"];
    let key = STANDARD.encode(b"c4nary that seals people's token");
    let config = format!(
        "[systems.web]\nkind = \"csv\"\nkey = \"id\"\n[systems.chat]\nkind = \"mattermost\"\nurl = \"{0}\"\n\
         token = {{ per_person = {{ PLACE, refresh = {{ url = \"{0}/oauth/token\", client_id = \"homeward\", client_secret = {{ \
         env = \"CLIENT\" }} }} }} }}\n",
        server.url
    );
    let rules = "owner([\"username\", \"nickname\"], \"web\"); copies([\"username\", \"nickname\"], \"chat\");\n\
                 source(\"web\", |row| #{ key: row.id, username: row.name, nickname: row.nick }); join(\"chat\", \"username\");";
    let kept = |name: &str| json!({ "access_token": song(name, "own"), "refresh_token": song(name, "refresh") });
    let world = world
        .variable("KEY", &key)
        .variable("CLIENT", &song("client", "secret"))
        .variable("RUST_BACKTRACE", "full")
        .variable("RUST_LOG", "trace")
        .file("rules/people.rhai", rules)
        .file("people.csv", "id,name,nick\n1,ann,Annie\n2,ben,Benny\n")
        .file("secret-tokens.json", &json!({ "web/1": kept("ann"), "web/2": kept("ben") }).to_string());
    std::fs::set_permissions(world.path("secret-tokens.json"), std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .unwrap();
    let mut songs: Vec<String> = people.iter().flat_map(|name| [song(name, "own"), song(name, "refresh")]).collect();
    songs.extend([song("client", "secret"), key]);
    let mut cage: Vec<_> = songs.iter().map(|text| (text.clone(), disguises(text))).collect();
    cage.push(("words".to_owned(), BTreeSet::from([b"c4nary".to_vec()])));
    let cage = Cage::new(cage);
    let behave = |behaviour: fn(&str, &Request) -> Answer| {
        let upstream = upstream.clone();
        server.behave(move |request| {
            let name = if request.headers.get("authorization").is_some_and(|it| it.contains("c4nary+ben")) {
                "ben"
            } else {
                "ann"
            };
            behaviour(&upstream, &as_lab_takes_it(request, &format!("lab-{name}")))
        });
    };
    let run = |arguments: &[&str], input: &str| {
        let mut child = world.command();
        let mut child =
            child.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert!(![Some(1), Some(101), None].contains(&output.status.code()), "{arguments:?}");
        assert_silent(&cage, &format!("stdout of {arguments:?}"), &output.stdout);
        assert_silent(&cage, &format!("stderr of {arguments:?}"), &output.stderr);
        for (name, bytes) in files(&world.path("")).iter().filter(|(name, _)| !name.starts_with("secret-")) {
            assert_silent(&cage, &format!("{name} after {arguments:?}"), bytes);
        }
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let echoes: [fn(&str, &Request) -> Answer; 5] = [
        forward,
        |_, request| echo(401, "application/json", request),
        |_, request| echo(403, "text/html", request),
        |_, request| echo(200, "application/json", request),
        |upstream, request| {
            if request.is_read() { forward(upstream, request) } else { echo(200, "text/plain", request) }
        },
    ];
    for place in ["file = \"secret-tokens.json\"", "store = { key = { env = \"KEY\" } }"] {
        world.write("homeward.toml", config.replace("PLACE", place).as_bytes());
        if place.starts_with("store") {
            assert_eq!(run(&["token", "set", "web/1", "-vv"], &kept("ann").to_string()).0, 0);
            assert_eq!(run(&["token", "set", "web/2"], &kept("ben").to_string()).0, 0);
            assert_eq!(run(&["token", "set", "web/2"], "c4nary that is none").0, 2);
            assert_eq!(run(&["token", "list", "--format", "json"], "").0, 0);
        }
        for (at, behaviour) in echoes.into_iter().enumerate() {
            behave(behaviour);
            let (plan, told) = run(&["plan", "web=people.csv", "-vv", "--out", "saved.json"], "");
            let _ = run(&["apply", "saved.json", "--yes", "-vv", "--format", "json"], "");
            let _ = run(&["apply", "web=people.csv", "--yes", "-vv"], "");
            let _ = run(&["check", "--connect", "-vv"], "");
            let _ = run(&["explain", "web/1", "web=people.csv", "-vv"], "");
            let _ = run(&["resume", "-vv"], "");
            let _ = run(&["undo", "1", "--yes", "-vv"], "");
            // What is no answer of the system's is everybody's trouble; a no to one token is not.
            assert_eq!(plan == 0, at != 2 && at != 3, "{place} {at}: {plan} {told}");
        }
    }
    assert_eq!(run(&["token", "remove", "web/1", "-vv"], "").0, 0);
    let sent = server.requests();
    for name in people {
        let bearer = format!("Bearer {}", song(name, "own"));
        assert!(sent.iter().any(|it| it.headers.get("authorization") == Some(&bearer)), "{name}");
    }
    let refreshed: Vec<&Request> = sent.iter().filter(|request| request.path() == "/oauth/token").collect();
    assert!(!refreshed.is_empty());
    for request in sent.iter().filter(|request| request.path() != "/oauth/token") {
        let shown = [request.target.as_bytes(), b"\n", request.body.as_slice()].concat();
        assert_silent(&cage, &request.line(), &shown);
    }
}

/// A connector that falls over what it holds.
struct Clumsy;

const CLUMSY: Capabilities = Capabilities {
    kind: "clumsy",
    create: Support::Yes,
    create_replay: Replay::LookFirst,
    attributes: &[AttributeCapability::plain("email", "mail")],
    operations: &[],
    lookups: &["email"],
    facts: &[],
    concurrency: 1,
    scheme: Scheme::Bearer,
    key_scope: None,
};

#[async_trait]
impl Connector for Clumsy {
    fn capabilities(&self) -> &'static Capabilities {
        &CLUMSY
    }

    async fn standing(&self, wire: &Reader<'_>) -> Result<Standing, ConnectorError> {
        let reply = wire.get("/me", &[]).await?;
        panic!("{reply:?} {:?}", reply.json());
    }

    async fn observe(&self, _: &Wanted, _: &Reader<'_>) -> Result<Observed, ConnectorError> {
        Ok(Observed::default())
    }

    fn foresee(&self, _: &Account, _: &Change) -> Foresight {
        Foresight::takes()
    }

    fn calls(&self, _: &Account, _: &[Change]) -> Result<Vec<Asked>, Refusal> {
        Ok(vec![Asked {
            operation: Operation::Create,
            method: "POST".to_owned(),
            path: "/people".to_owned(),
            headers: BTreeMap::new(),
            body: json!({}),
            generated: vec!["password".to_owned()],
            carries: BTreeSet::from(["email".into()]).into_iter().collect(),
            replay: Replay::LookFirst,
        }])
    }

    async fn perform(&self, call: &Call, wire: &mut Writer<'_>) -> Result<Account, Refusal> {
        let reply = wire.send().await.map_err(|error| unavailable(&error))?;
        panic!("{call:#?} {reply:#?} {}", reply.text());
    }
}

#[test]
fn a_program_that_falls_tells_no_secret_on_its_way_down() {
    // This very test, started as a program of its own.
    #[expect(clippy::disallowed_methods, reason = "how this test tells itself which of the two it is")]
    let told = std::env::var_os("CLUMSY");
    if let Some(arguments) = told {
        let arguments = arguments.into_string().unwrap();
        let kind = Kind { name: "clumsy", capabilities: &CLUMSY, open: |_| Ok(Box::new(Clumsy)), schema: || json!({}) };
        let _ = homeward::run_with(arguments.split(' ').map(Into::into), &[kind], &[]);
        return;
    }
    let canary = "c4nary+t0ken/with=\"signs\"&%7e\\end";
    let server = Server::start(|request| echo(200, "application/json", request));
    let config = format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\ncoverage = \"partial\"\n[systems.clumsy]\nkind = \"clumsy\"\nurl = \"{}\"\n\
         token = {{ env = \"TOKEN\" }}\n",
        server.url
    );
    let rules = "owner(\"email\", \"hr\"); copies(\"email\", \"clumsy\"); account(\"clumsy\", |person| true);\n\
                 source(\"hr\", |row| #{ key: row.id, email: row.email }); join(\"clumsy\", [\"email\"]);";
    let world = World::new()
        .variable("TOKEN", canary)
        .variable("RUST_BACKTRACE", "full")
        .file("homeward.toml", &config)
        .file("rules/people.rhai", rules)
        .file("people.csv", "id,email\n1,anna@example.com\n");
    let mut cage = Cage::new(vec![("token".to_owned(), disguises(canary))]);
    for arguments in ["homeward check --connect -vv", "homeward apply hr=people.csv --yes -vv"] {
        let mut program = world.program(&std::env::current_exe().unwrap());
        let exact = ["--exact", "canary::a_program_that_falls_tells_no_secret_on_its_way_down", "--nocapture"];
        let ran = Ran::of(program.args(exact).env("CLUMSY", arguments));
        let all = format!("{}{}", ran.stdout, ran.stderr);
        assert!(all.contains("panicked at") && all.contains("[a token]"), "{all}");
        let sent = server.requests();
        assert!(sent.iter().any(|request| request.headers["authorization"] == format!("Bearer {canary}")));
        cage = cage.and(sent.iter().filter_map(|request| Some(request.json().get("password")?.as_str()?.to_owned())));
        assert_silent(&cage, arguments, all.as_bytes());
        for (name, bytes) in files(&world.path("")) {
            assert_silent(&cage, &format!("{name} after {arguments}"), &bytes);
        }
    }
    assert_eq!(cage.songs.len(), 2, "one password was made, and sent");
}
