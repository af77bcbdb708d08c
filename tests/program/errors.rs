//! Every mistake of the first ten minutes: what the program says to it, whole, and with which exit code.
//!
//! A message is read by somebody who does not know the program yet. It says where, what, and what to do next; it holds no
//! secret, and no text that only a library's author understands.

#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test, in a helper too")]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use crate::common::{Ran, World};

const CONFIG: &str = r#"[systems.hr]
kind = "csv"
key = "id"

[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }

[systems.mattermost]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "MATTERMOST_TOKEN" }
"#;

const RULES: &str = r#"owner("username", "gitlab");
owner("email", "hr");
copies("email", "gitlab");
source("hr", |row| #{ key: row.id, email: row.email });
join("gitlab", "email");
"#;

/// A small project in which nothing is wrong.
fn project() -> World {
    World::new()
        .file("homeward.toml", CONFIG)
        .file("rules/people.rhai", RULES)
        .file("people.csv", "id,email\n7,mia@example.com\n8,lars@example.com\n")
}

/// The same with other rules.
fn rules(text: &str) -> World {
    project().file("rules/people.rhai", text)
}

/// The same with another configuration.
fn config(text: &str) -> World {
    project().file("homeward.toml", text)
}

/// The same with GitLab alone, at this address.
fn gitlab_at(url: &str) -> World {
    let config = format!(
        "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.gitlab]\nkind = \"gitlab\"\nurl = \"{url}\"\ntoken = {{ env = \"GITLAB_TOKEN\" }}\n"
    );
    project().file("homeward.toml", &config).variable("GITLAB_TOKEN", "glpat-wrong")
}

/// Everything a run gave, as one text; what differs from run to run has a placeholder.
fn told(world: &World, arguments: &[&str]) -> String {
    let ran = world.homeward(arguments);
    let text = format!("{}-- stderr\n{}-- exit {}", ran.stdout, ran.stderr, ran.status);
    let folder = world.path("");
    let text = text.replace(folder.to_str().unwrap().trim_end_matches('/'), "[FOLDER]");
    let port = regex::Regex::new(r"127\.0\.0\.1:\d+").unwrap();
    port.replace_all(&text, "127.0.0.1:[PORT]").into_owned()
}

/// Answers every request with this, until the test ends.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

/// The project of a lab that runs, as if the lab's GitLab were a real one.
fn world_at(lab: &World) -> World {
    gitlab_at(&lab.url("gitlab"))
}

// Tokens and addresses.
#[test]
fn every_missing_token_is_told_at_once() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @r#"
    -- stderr
      × the environment variable GITLAB_TOKEN is not set
       ╭─[homeward.toml:8:9]
     7 │ url = "https://git.example.com"
     8 │ token = { env = "GITLAB_TOKEN" }
       ·         ────────────────────────
     9 │
       ╰────
      help: set it before the start: `export GITLAB_TOKEN=…`; with --lab none is needed

      × the environment variable MATTERMOST_TOKEN is not set
        ╭─[homeward.toml:13:9]
     12 │ url = "https://chat.example.com"
     13 │ token = { env = "MATTERMOST_TOKEN" }
        ·         ────────────────────────────
        ╰────
      help: set it before the start: `export MATTERMOST_TOKEN=…`; with --lab none is needed
    -- exit 2
    "#);
}

#[test]
fn an_empty_token_is_none() {
    let world = project().variable("GITLAB_TOKEN", " ").variable("MATTERMOST_TOKEN", "x");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @r#"
    -- stderr
      × the environment variable GITLAB_TOKEN is empty
       ╭─[homeward.toml:8:9]
     7 │ url = "https://git.example.com"
     8 │ token = { env = "GITLAB_TOKEN" }
       ·         ────────────────────────
     9 │
       ╰────
      help: set it before the start: `export GITLAB_TOKEN=…`; with --lab none is needed
    -- exit 2
    "#);
}

#[test]
fn a_token_file_that_is_not_there() {
    let world = config(
        "[systems.gitlab]\nkind = \"gitlab\"\nurl = \"https://git.example.com\"\ntoken = { file = \"secret\" }\n",
    )
    .file("rules/people.rhai", "");
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @r#"
    -- stderr
      × the secret in secret cannot be read: No such file or directory
       ╭─[homeward.toml:4:9]
     3 │ url = "https://git.example.com"
     4 │ token = { file = "secret" }
       ·         ───────────────────
       ╰────
      help: check that the file is there and that we may read it
    -- exit 2
    "#);
}

#[test]
fn nobody_listens_at_the_address() {
    let world = gitlab_at("http://127.0.0.1:9");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @r"
    -- stderr
      × gitlab at 127.0.0.1:[PORT] cannot be reached: nobody listens there
      help: check `url` in [systems.gitlab] and that the server runs; with --lab a simulator takes its place
    -- exit 5
    ");
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @r"
    -- stderr
      × gitlab at 127.0.0.1:[PORT] cannot be reached: nobody listens there
      help: check `url` in [systems.gitlab] and that the server runs; with --lab a simulator takes its place
    -- exit 5
    ");
}

#[test]
fn there_is_no_host_of_this_name() {
    let world = gitlab_at("https://no-such-host.invalid");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @r"
    -- stderr
      × gitlab at no-such-host.invalid cannot be reached: there is no host of this name
      help: check `url` in [systems.gitlab] and that the server runs; with --lab a simulator takes its place
    -- exit 5
    ");
}

#[test]
fn a_web_page_is_no_interface() {
    let world = gitlab_at(&server(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 21\r\nconnection: close\r\n\r\n<html>Sign in</html>\n",
    ));
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @r"
    -- stderr
      × gitlab answered something that is not what was asked for: is `url` a GitLab's?
      help: check that `url` in [systems.gitlab] is the server itself, not a login page or a proxy
    -- exit 5
    ");
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @r"
    -- stderr
      × gitlab answered something that is not what was asked for: is `url` a GitLab's?
      help: check that `url` in [systems.gitlab] is the server itself, not a login page or a proxy
    -- exit 5
    ");
}

#[test]
fn https_to_an_http_port() {
    let world = gitlab_at(
        &server("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .replace("http:", "https:"),
    );
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @r"
    -- stderr
      × gitlab at 127.0.0.1:[PORT] cannot be reached: it does not speak https there; perhaps this is an http port
      help: check `url` in [systems.gitlab] and that the server runs; with --lab a simulator takes its place
    -- exit 5
    ");
}

#[test]
fn http_to_another_machine_would_show_the_token() {
    let world = gitlab_at("http://git.example.com");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × this address is not encrypted: everybody on the way could read the token
       ╭─[homeward.toml:7:7]
     6 │ kind = "gitlab"
     7 │ url = "http://git.example.com"
       ·       ────────────────────────
     8 │ token = { env = "GITLAB_TOKEN" }
       ╰────
      help: use `https://`, or set `insecure_http = true` for this system if the way there is safe
    -- exit 2
    "#);
}

#[test]
fn a_wrong_token_is_refused() {
    let lab = {
        let mut lab = project();
        lab.start_lab(&[]);
        lab
    };
    let world = world_at(&lab);
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @r"
    -- stderr
      × gitlab refused to be read (forbidden: GitLab does not take the token: it is wrong, expired or revoked; make a new
      │ one)
      help: the token of [systems.gitlab] must be right, not expired, and an administrator's; `homeward check --connect`
            tells whose it is
    -- exit 5
    ");
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @r"
    -- stderr
      × gitlab refused to be read (forbidden: GitLab does not take the token: it is wrong, expired or revoked; make a new
      │ one)
      help: the token of [systems.gitlab] must be right, not expired, and an administrator's; `homeward check --connect`
            tells whose it is
    -- exit 5
    ");
}

#[test]
fn a_token_without_administrator_rights() {
    let lab = {
        let mut lab = project().file("lab/gitlab.json", r#"{"users": [{"id": 42, "username": "mia", "email": "mia@example.com"}], "tokens": [{"token": "glpat-wrong", "user": "mia"}]}"#);
        lab.start_lab(&[]);
        lab
    };
    let world = world_at(&lab);
    insta::assert_snapshot!(told(&world, &["check", "--connect"]), @r"
    system  server          we are                  missing
    gitlab  GitLab 17.11.1  mia (no administrator)  1, below

    missing at gitlab: reading and changing accounts: a token of an administrator with the scope `api` is needed, and with
      `admin_mode` too where Admin Mode is on
    -- stderr
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv"]), @r"
    -- stderr
      × gitlab refused to be read (forbidden: a token of an administrator with the scope `api` is needed, and with
      │ `admin_mode` too where Admin Mode is on)
      help: the token of [systems.gitlab] must be right, not expired, and an administrator's; `homeward check --connect`
            tells whose it is
    -- exit 5
    ");
}

// homeward.toml.
#[test]
fn no_configuration() {
    let world = World::new();
    insta::assert_snapshot!(told(&world, &["check"]), @r"
    -- stderr
      × there is no homeward.toml
      help: go where it is, name it with -c, or begin with `homeward init`, which writes a working project
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["-c", "other.toml", "check"]), @r"
    -- stderr
      × there is no other.toml
      help: go where it is, name it with -c, or begin with `homeward init`, which writes a working project
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["-C", "nowhere", "check"]), @r"
    -- stderr
      × there is no folder nowhere
      help: -C DIR works in a folder that is there; `homeward init DIR` makes one
    -- exit 2
    ");
}

#[test]
fn text_without_quotes() {
    let world = config("[systems.gitlab]\nkind = gitlab\nurl = \"https://git.example.com\"\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × text has to stand in quotes
       ╭─[homeward.toml:2:8]
     1 │ [systems.gitlab]
     2 │ kind = gitlab
       ·        ──────
     3 │ url = "https://git.example.com"
       ╰────
      help: such as `url = "https://git.example.com"`
    -- exit 2
    "#);
}

#[test]
fn a_quote_that_is_not_closed() {
    let world = config("[systems.gitlab]\nkind = \"gitlab\nurl = \"https://git.example.com\"\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × the text in quotes does not end in this line
       ╭─[homeward.toml:2:15]
     1 │ [systems.gitlab]
     2 │ kind = "gitlab
       ·               ▲
     3 │ url = "https://git.example.com"
       ╰────
      help: write the closing quote `"`
    -- exit 2
    "#);
}

#[test]
fn a_table_that_is_not_closed() {
    let world = config("[systems.gitlab\nkind = \"gitlab\"\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × this header of a table is not complete
       ╭─[homeward.toml:1:16]
     1 │ [systems.gitlab
       ·                ▲
     2 │ kind = "gitlab"
       ╰────
      help: such as `[systems.gitlab]`
    -- exit 2
    "#);
}

#[test]
fn everything_that_is_wrong_with_the_configuration_is_told_at_once() {
    let world = config(
        r#"[systems.gitlab]
kind = "gitlab"
urll = "https://git.example.com"
token = "glpat-never-shown"
timeout = "5 lightyears"
concurrency = "many"

[systems.chat]
kind = "mattermos"

[systems.site]
kind = "wordpress"

[limits]
changes = 20
removals = { share = "200%" }
protected = ["root", "gitlb:root"]
"#,
    );
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × unknown key `urll` in [systems.gitlab]; did you mean `url`?
       ╭─[homeward.toml:3:1]
     2 │ kind = "gitlab"
     3 │ urll = "https://git.example.com"
       · ────
     4 │ token = "*****************"
       ╰────

      × a secret does not belong into this file
       ╭─[homeward.toml:4:9]
     3 │ urll = "https://git.example.com"
     4 │ token = "*****************"
       ·         ───────────────────
     5 │ timeout = "5 lightyears"
       ╰────
      help: say where it is found: `token = { env = "GITLAB_TOKEN" }` or `token = { file = "…" }`

      × `timeout` is not a duration
       ╭─[homeward.toml:5:11]
     4 │ token = "*****************"
     5 │ timeout = "5 lightyears"
       ·           ──────────────
     6 │ concurrency = "many"
       ╰────
      help: such as `30s`, `5m` or `1h`

      × `concurrency` is a text, but must be a whole number
       ╭─[homeward.toml:6:15]
     5 │ timeout = "5 lightyears"
     6 │ concurrency = "many"
       ·               ──────
     7 │
       ╰────
      help: write it without quotes

      × `kind` cannot be `mattermos`; did you mean `mattermost`?
        ╭─[homeward.toml:9:8]
      8 │ [systems.chat]
      9 │ kind = "mattermos"
        ·        ───────────
     10 │
        ╰────
      help: it is one of `discourse`, `gitlab`, `mattermost`, `nextcloud`, `scim`, `wordpress`, `zitadel`, `csv`

      × `url` is missing in [systems.site]
        ╭─[homeward.toml:11:10]
     10 │
     11 │ [systems.site]
        ·          ────
     12 │ kind = "wordpress"
        ╰────
      help: add `url = "https://git.example.com"`

      × `username` is missing in [systems.site]
        ╭─[homeward.toml:11:10]
     10 │
     11 │ [systems.site]
        ·          ────
     12 │ kind = "wordpress"
        ╰────
      help: add `username = "homeward"`

      × `token` is missing in [systems.site]
        ╭─[homeward.toml:11:10]
     10 │
     11 │ [systems.site]
        ·          ────
     12 │ kind = "wordpress"
        ╰────
      help: add `token = { env = "SITE_TOKEN" }`

      × `changes` is a number, but must be text in quotes
        ╭─[homeward.toml:15:11]
     14 │ [limits]
     15 │ changes = 20
        ·           ──
     16 │ removals = { share = "200%" }
        ╰────
      help: a share of all, such as `changes = "20%"`

      × `share` is not a share of people
        ╭─[homeward.toml:16:22]
     15 │ changes = 20
     16 │ removals = { share = "200%" }
        ·                      ──────
     17 │ protected = ["root", "gitlb:root"]
        ╰────
      help: such as `5%` or `2.5%`, up to `100%`

      × `root` does not name an account
        ╭─[homeward.toml:17:14]
     16 │ removals = { share = "200%" }
     17 │ protected = ["root", "gitlb:root"]
        ·              ──────
        ╰────
      help: write `system:account`, such as `gitlab:root`

      × `gitlb` is no configured provider; did you mean `gitlab`?
        ╭─[homeward.toml:17:22]
     16 │ removals = { share = "200%" }
     17 │ protected = ["root", "gitlb:root"]
        ·                      ────────────
        ╰────
    -- exit 2
    "#);
}

#[test]
fn a_secret_is_not_shown_even_where_the_file_is_no_toml() {
    let world = config("[systems.gitlab]\nkind = \"gitlab\"\ntoken = glpat-never-shown\n");
    insta::assert_snapshot!(told(&world, &["--format", "json", "check"]), @r#"
    {
      "format": "homeward.check/1",
      "findings": [
        {
          "code": "configuration",
          "severity": "error",
          "message": "text has to stand in quotes",
          "file": "homeward.toml",
          "line": 3,
          "column": 9,
          "end": 26,
          "hint": "such as `url = \"https://git.example.com\"`",
          "related": [],
          "silenced": null
        }
      ],
      "errors": 1,
      "warnings": 0,
      "systems": 0,
      "owner_lines": 0,
      "rounds": null
    }
    -- stderr
    -- exit 2
    "#);
}

#[test]
fn an_unknown_key_far_from_any_other() {
    let world = config(&CONFIG.replace("kind = \"gitlab\"", "kind = \"gitlab\"\nbogus = 1"));
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × unknown key `bogus` in [systems.gitlab]
       ╭─[homeward.toml:7:1]
     6 │ kind = "gitlab"
     7 │ bogus = 1
       · ─────
     8 │ url = "https://git.example.com"
       ╰────
      help: known here: `key`, `concurrency`, `rate`, `burst`, `timeout`, `follows_within`, `connect_timeout`,
            `read_timeout`, `insecure_http`, `ca`, `client_certificate`, `proxy`, `token_kind`, `synced_attributes`,
            `synced_from`
    -- exit 2
    "#);
}

#[test]
fn no_system_at_all() {
    let world = config("");
    insta::assert_snapshot!(told(&world, &["check"]), @r"
    -- stderr
      × no system is configured
      help: add a table such as `[systems.gitlab]` with `kind`, `url` and `token`
    -- exit 2
    ");
}

#[test]
fn an_encoding_nobody_knows() {
    let world = config(&CONFIG.replace("key = \"id\"", "key = \"id\"\nencoding = \"latin-9000\""));
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × unknown encoding `latin-9000`
       ╭─[homeward.toml:4:12]
     3 │ key = "id"
     4 │ encoding = "latin-9000"
       ·            ────────────
     5 │
       ╰────
      help: usual are `utf-8`, `windows-1252`, `iso-8859-15`, `utf-16`; other names are those of the WHATWG standard
    -- exit 2
    "#);
}

#[test]
fn two_sources_that_watch_one_folder() {
    let source =
        |name: &str, folder: &str| format!("[systems.{name}]\nkind = \"csv\"\nkey = \"id\"\nfolder = \"{folder}\"\n");
    let world = config(&format!("{}{}", source("offices", "./drop/old/../hr/"), source("hr", "drop/hr")));
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × hr watches the folder that offices watches
       ╭─[homeward.toml:8:10]
     7 │ key = "id"
     8 │ folder = "drop/hr"
       ·          ─────────
       ╰────
      help: one folder, one feed: give each source a folder of its own
    -- exit 2
    "#);
    let check = |folder: &str| {
        world.write("homeward.toml", format!("{}{}", source("hr", "drop/hr"), source("offices", folder)).as_bytes());
        world.homeward(&["check"]).stderr
    };
    let absolute = check(world.path("drop/hr").to_str().unwrap());
    assert!(absolute.contains("offices watches the folder that hr watches"), "{absolute}");
    let inside = check("drop/hr/offices");
    assert!(!inside.contains("watches the folder"), "{inside}");
}

// Rules.
#[test]
fn names_with_a_slip_of_the_finger_are_all_told_at_once() {
    let world = rules(
        r#"owner("usrname", "gitlab");
owner("email", "gitlb");
copies(["emial"], ["gitlab"]);
join("gitlab", "emal");
owner("last_name", "gitlab");
"#,
    );
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × unknown attribute `usrname`
       ╭─[rules/people.rhai:1:7]
     1 │ owner("usrname", "gitlab");
       ·       ─────────
     2 │ owner("email", "gitlb");
       ╰────
      help: did you mean `username`?

      × unknown system `gitlb`
       ╭─[rules/people.rhai:2:16]
     1 │ owner("usrname", "gitlab");
     2 │ owner("email", "gitlb");
       ·                ───────
     3 │ copies(["emial"], ["gitlab"]);
       ╰────
      help: did you mean `gitlab`?

      × unknown attribute `emial`
       ╭─[rules/people.rhai:3:9]
     2 │ owner("email", "gitlb");
     3 │ copies(["emial"], ["gitlab"]);
       ·         ───────
     4 │ join("gitlab", "emal");
       ╰────
      help: did you mean `email`?

      × unknown attribute `emal`
       ╭─[rules/people.rhai:4:16]
     3 │ copies(["emial"], ["gitlab"]);
     4 │ join("gitlab", "emal");
       ·                ──────
     5 │ owner("last_name", "gitlab");
       ╰────
      help: did you mean `email`?

      × `gitlab` does not hold `last_name`
       ╭─[rules/people.rhai:5:7]
     4 │ join("gitlab", "emal");
     5 │ owner("last_name", "gitlab");
       ·       ───────────
       ╰────
      help: only a system that holds `last_name` can own it or get a copy; `gitlab` has no place for it
    -- exit 2
    "#);
}

#[test]
fn a_mark_is_right_behind_tabs_umlauts_and_emoji() {
    let world = rules("// grüße 🙂\n\towner(\"ü🙂\", \"hr\"); /* 🙂 é */ ownr(\"email\", \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × unknown attribute `ü🙂`
       ╭─[rules/people.rhai:2:8]
     1 │ // grüße 🙂
     2 │     owner("ü🙂", "hr"); /* 🙂 é */ ownr("email", "hr");
       ·           ─────
       ╰────
      help: an attribute of one system is written with its name in front: `gitlab.note`

      × unknown function `ownr`
       ╭─[rules/people.rhai:2:39]
     1 │ // grüße 🙂
     2 │     owner("ü🙂", "hr"); /* 🙂 é */ ownr("email", "hr");
       ·                                    ────
       ╰────
      help: did you mean `owner`?
    -- exit 2
    "#);
}

#[test]
fn a_mark_is_right_under_wide_and_joined_characters() {
    let world = rules(
        "const 名前 = 1; /* 日本語 */ ownr(1);\n\t\towner(\"👩‍👩‍👧\", \"hr\"); /* ẽ */ owner(\"usrname\", \"gitlab\");\n",
    );
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × unexpected '名'
       ╭─[rules/people.rhai:1:7]
     1 │ const 名前 = 1; /* 日本語 */ ownr(1);
       ·       ────
     2 │         owner("👩‍👩‍👧", "hr"); /* ẽ */ owner("usrname", "gitlab");
       ╰────
      help: names are written with a to z; a column of another name is read as `row["Kürzel"]`
    -- exit 2
    "#);
    let world = rules(
        "owner(\"email\", \"hr\"); /* 日本語 👩‍👩‍👧 ü */\towner(\"usrname\", \"gitlab\");\n\tjoin(\"gitlab\", [\"emäil\"]);\n",
    );
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × unknown attribute `usrname`
       ╭─[rules/people.rhai:1:67]
     1 │ owner("email", "hr"); /* 日本語 👩‍👩‍👧 ü */ owner("usrname", "gitlab");
       ·                                                   ─────────
     2 │     join("gitlab", ["emäil"]);
       ╰────
      help: did you mean `username`?

      × unknown attribute `emäil`
       ╭─[rules/people.rhai:2:18]
     1 │ owner("email", "hr"); /* 日本語 👩‍👩‍👧 ü */ owner("usrname", "gitlab");
     2 │     join("gitlab", ["emäil"]);
       ·                     ───────
       ╰────
      help: did you mean `email`?
    -- exit 2
    "#);
}

#[test]
fn what_is_wrong_in_one_file_hides_nothing_in_another() {
    let world = rules("owner(\"usrname\", \"gitlab\");\n")
        .file("rules/a.rhai", "owner(\"email\" \"hr\");\n")
        .file("rules/b.rhai", "copies(\"emial\", \"gitlab\");\nlet x = 1 / 0;\n")
        .file("rules/c.rhai", "owner(\"email\", \"hr\"); /* and so on\n")
        .file("rules/z.rhai", "source(\"hr\", |row| #{ key: ro.id });\n");
    world.write("rules/d.rhai", b"// \xff");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × `rules/d.rhai` is not UTF-8
      help: save the file as UTF-8

      × expecting ',' to separate the arguments to function call 'owner'
       ╭─[rules/a.rhai:1:15]
     1 │ owner("email" "hr");
       ·               ────
       ╰────
      help: the place is the first that cannot be right; what is missing belongs just before it

      × unknown attribute `emial`
       ╭─[rules/b.rhai:1:8]
     1 │ copies("emial", "gitlab");
       ·        ───────
     2 │ let x = 1 / 0;
       ╰────
      help: did you mean `email`?

      × division by zero: 1 / 0
       ╭─[rules/b.rhai:2:11]
     1 │ copies("emial", "gitlab");
     2 │ let x = 1 / 0;
       ·           ─
       ╰────
      help: look at what is computed here, and with what

      × a comment is not closed
       ╭─[rules/c.rhai:1:23]
     1 │ owner("email", "hr"); /* and so on
       ·                       ─
       ╰────
      help: close it with `*/`; comments may lie in comments, each with its own

      × unknown attribute `usrname`
       ╭─[rules/people.rhai:1:7]
     1 │ owner("usrname", "gitlab");
       ·       ─────────
       ╰────
      help: did you mean `username`?

      × unknown variable `ro`
       ╭─[rules/z.rhai:1:28]
     1 │ source("hr", |row| #{ key: ro.id });
       ·                            ──
       ╰────
      help: did you mean `row`?
    -- exit 2
    "#);
}

#[test]
fn a_comment_is_not_closed() {
    let world = rules("owner(\"email\", \"hr\");\n/* until /* spring */\ncopies(\"email\", \"gitlab\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × a comment is not closed
       ╭─[rules/people.rhai:2:1]
     1 │ owner("email", "hr");
     2 │ /* until /* spring */
       · ─
     3 │ copies("email", "gitlab");
       ╰────
      help: close it with `*/`; comments may lie in comments, each with its own
    -- exit 2
    "#);
}

#[test]
fn a_character_that_does_not_show_is_shown() {
    let world =
        rules("owner(\"email\", \"hr\"); // \u{202e}\"gitlab\" ,\"liame\"(renwo\nowner(\"a\u{200b}\", \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × a character that does not show: U+202E
       ╭─[rules/people.rhai:1:26]
     1 │ owner("email", "hr"); // �"gitlab" ,"liame"(renwo
       ·                          ─
     2 │ owner("a�", "hr");
       ╰────
      help: it turns the direction of what follows, which then reads as something else; delete it
    -- exit 2
    "#);
    let world = rules("let x = \"a\u{1b}[2J\";\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × a character that does not show: U+001B
       ╭─[rules/people.rhai:1:11]
     1 │ let x = "a?[2J";
       ·           ─
       ╰────
      help: delete it; where a text needs it, write it as \u001b inside the quotes
    -- exit 2
    "#);
}

#[test]
fn a_line_that_nobody_reads_is_not_shown() {
    let world = rules(&format!("let x = [{}]; ownr(x);\n", "1, ".repeat(500)));
    insta::assert_snapshot!(told(&world, &["check"]), @r"
    -- stderr
      × unknown function `ownr` (rules/people.rhai:1:1513, a line too long to be shown)
      help: did you mean `owner`?
    -- exit 2
    ");
}

#[test]
fn a_loop_that_declares() {
    let world = rules("for i in 0..10000 { temporary(\"username\", \"gitlab\"); }\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × a script may make 2000 declarations
       ╭─[rules/people.rhai:1:21]
     1 │ for i in 0..10000 { temporary("username", "gitlab"); }
       ·                     ─────────
       ╰────
      help: a declaration speaks of one thing and takes lists; it is seldom made in a loop
    -- exit 2
    "#);
}

#[test]
fn as_many_errors_are_told_as_somebody_reads() {
    let world = rules("for i in 0..99 { owner(`email${i}`, \"hr\"); }\n");
    let all = told(&world, &["check"]);
    assert_eq!(all.matches("× unknown attribute").count(), 50);
    insta::assert_snapshot!(all.split("\n\n").last().unwrap(), @r"
      × 49 more things are wrong that are not shown
      help: mend these first; what is wrong in a loop is wrong many times
    -- exit 2
    ");
}

#[test]
fn a_comma_is_missing() {
    let world = rules("owner(\"email\" \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × expecting ',' to separate the arguments to function call 'owner'
       ╭─[rules/people.rhai:1:15]
     1 │ owner("email" "hr");
       ·               ────
       ╰────
      help: the place is the first that cannot be right; what is missing belongs just before it
    -- exit 2
    "#);
}

#[test]
fn a_bracket_is_not_closed() {
    let world = rules("owner(\"email\", \"hr\"\n\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × expecting ')' to close the arguments list of this function call 'owner'
       ╭─[rules/people.rhai:1:19]
     1 │ owner("email", "hr"
       ·                   ─
     2 │
       ╰────
      help: the place is the first that cannot be right; what is missing belongs just before it
    -- exit 2
    "#);
}

#[test]
fn a_quote_of_a_rule_is_not_closed() {
    let world = rules("owner(\"email, \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × expecting ',' to separate the arguments to function call 'owner'
       ╭─[rules/people.rhai:1:16]
     1 │ owner("email, "hr");
       ·                ──
       ╰────
      help: the place is the first that cannot be right; what is missing belongs just before it
    -- exit 2
    "#);
}

#[test]
fn functions_with_wrong_parameters() {
    let world = rules(
        r#"owner("email", "hr", || true);
owner("username", "gitlab", |a, b| true);
source("hr", |row, more| #{});
owner("last_name", "hr", true);
"#,
    );
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × the function for `owner` takes 0 arguments; it must take one
       ╭─[rules/people.rhai:1:1]
     1 │ owner("email", "hr", || true);
       · ─────
     2 │ owner("username", "gitlab", |a, b| true);
       ╰────
      help: write it as `|person| …`; `owner` asks it for one person at a time

      × the function for `owner` takes 2 arguments; it must take one
       ╭─[rules/people.rhai:2:1]
     1 │ owner("email", "hr", || true);
     2 │ owner("username", "gitlab", |a, b| true);
       · ─────
     3 │ source("hr", |row, more| #{});
       ╰────
      help: write it as `|person| …`; `owner` asks it for one person at a time

      × the function for `source` takes 2 arguments; it must take one
       ╭─[rules/people.rhai:3:1]
     2 │ owner("username", "gitlab", |a, b| true);
     3 │ source("hr", |row, more| #{});
       · ──────
     4 │ owner("last_name", "hr", true);
       ╰────
      help: write it as `|row| #{ key: row.id }`

      × the condition in `owner` must be a function `|person| ...`, but is true or false
       ╭─[rules/people.rhai:4:1]
     3 │ source("hr", |row, more| #{});
     4 │ owner("last_name", "hr", true);
       · ─────
       ╰────
      help: a condition is a function, as in `|person| person.active == true`
    -- exit 2
    "#);
}

#[test]
fn an_attribute_has_one_owner() {
    let world = rules("owner(\"email\", \"hr\");\nowner(\"email\", \"gitlab\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × `email` already has an owner
       ╭─[rules/people.rhai:1:1]
     1 │ owner("email", "hr");
       · ──────────┬──────────
       ·           ╰── first owner
     2 │ owner("email", "gitlab");
       · ──┬──
       ·   ╰── here
       ╰────
      help: an attribute has one owner: keep one of these lines, or give the first a condition
    -- exit 2
    "#);
}

#[test]
fn a_second_owner_in_another_file_shows_both_files() {
    let world =
        rules("// first\nowner(\"email\", \"hr\");\n").file("rules/zeta.rhai", "owner(\"email\", \"gitlab\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × `email` already has an owner
       ╭─[rules/zeta.rhai:1:1]
     1 │ owner("email", "gitlab");
       · ─────
       ╰────
      help: an attribute has one owner: keep one of these lines, or give the first a condition
      ☞ first owner
       ╭─[rules/people.rhai:2:1]
     1 │ // first
     2 │ owner("email", "hr");
       · ─────────────────────
       ╰────
    -- exit 2
    "#);
}

#[test]
fn words_about_changes_and_plans_that_are_wrong_are_all_told() {
    let world = rules(
        r#"route(|change, more| hold("look first"));
refused("mattermost", |change| to("gitlab"));
refused("hr", |change, refusal| to("gitlab"));
guard("ten");
test("a test", |x| {});
range("gitlab.note", ["a"]);
perform("mattermost", "post_message", #{});
"#,
    );
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × the function for `route` takes 2 arguments; it must take one
       ╭─[rules/people.rhai:1:1]
     1 │ route(|change, more| hold("look first"));
       · ─────
     2 │ refused("mattermost", |change| to("gitlab"));
       ╰────
      help: write it as `|change| …`

      × the function for `refused` takes 1 argument; it must take two
       ╭─[rules/people.rhai:2:1]
     1 │ route(|change, more| hold("look first"));
     2 │ refused("mattermost", |change| to("gitlab"));
       · ───────
     3 │ refused("hr", |change, refusal| to("gitlab"));
       ╰────
      help: write it as `|change, refusal| …`

      × `hr` is not a provider
       ╭─[rules/people.rhai:3:9]
     2 │ refused("mattermost", |change| to("gitlab"));
     3 │ refused("hr", |change, refusal| to("gitlab"));
       ·         ────
     4 │ guard("ten");
       ╰────
      help: a provider is a system with accounts, such as one with `kind = "gitlab"`

      × what looks at a plan in `guard` must be a function `|plan| ...`, but is text
       ╭─[rules/people.rhai:4:1]
     3 │ refused("hr", |change, refusal| to("gitlab"));
     4 │ guard("ten");
       · ─────
     5 │ test("a test", |x| {});
       ╰────
      help: it is a function, written in place: see the reference with `homeward docs`

      × the function for `test` takes 1 argument; it must take none
       ╭─[rules/people.rhai:5:1]
     4 │ guard("ten");
     5 │ test("a test", |x| {});
       · ────
     6 │ range("gitlab.note", ["a"]);
       ╰────
      help: write it as `|| { … }`

      × `gitlab.note` is no set: it has one value, and no members
       ╭─[rules/people.rhai:6:7]
     5 │ test("a test", |x| {});
     6 │ range("gitlab.note", ["a"]);
       ·       ─────────────
     7 │ perform("mattermost", "post_message", #{});
       ╰────

      × `perform` is said where nobody hears it: it is what a `source` function returns
       ╭─[rules/people.rhai:7:1]
     6 │ range("gitlab.note", ["a"]);
     7 │ perform("mattermost", "post_message", #{});
       · ───────
       ╰────
      help: as in `source("events", |row| perform("mattermost", "post_message", #{ … }))`

      ⚠ nobody uses what this gives [no_effect]
       ╭─[rules/people.rhai:7:1]
     6 │ range("gitlab.note", ["a"]);
     7 │ perform("mattermost", "post_message", #{});
       · ───────
       ╰────
      help: what `perform` gives must be what the function answers, alone or in a list

    -- exit 2
    "#);
}

#[test]
fn a_loop_without_an_end() {
    let world = rules("loop {}\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r"
    -- stderr
      × the rule does not come to an end
       ╭─[rules/people.rhai:1:6]
     1 │ loop {}
       ·      ─
       ╰────
      help: a rule has to be short work: look for a loop that does not end
    -- exit 2
    ");
}

#[test]
fn a_rule_that_fails_while_it_is_loaded() {
    let world = rules("let x = 1 / 0;\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r"
    -- stderr
      × division by zero: 1 / 0
       ╭─[rules/people.rhai:1:11]
     1 │ let x = 1 / 0;
       ·           ─
       ╰────
      help: look at what is computed here, and with what
    -- exit 2
    ");
}

#[test]
fn a_folder_of_rules_that_is_not_there() {
    let world = config(&format!("rules = \"regeln\"\n{CONFIG}"));
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    -- stderr
      × cannot read `regeln`: No such file or directory
      help: make the folder, or say where the rules are: `rules = "…"` in the configuration
    -- exit 2
    "#);
}

#[test]
fn a_folder_with_a_library_alone_holds_no_rules() {
    let world = config(&format!("rules = \"regeln\"\n{CONFIG}")).file("regeln/lib/text.rhai", "fn f(x) { x }\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r"
    Usable: 3 systems, 0 owner lines, 1 warning.
    -- stderr
      ⚠ regeln holds no rules: write them into files such as regeln/people.rhai [no_rules]

    -- exit 0
    ");
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_shown_in_its_place() {
    let world = rules("owner(\"email\", \"hr\");\nowner(\"email\", \"gitlab\", |person| true);\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    Usable: 3 systems, 2 owner lines, 5 warnings.
    Certified: no attribute can go back and forth.
    -- stderr
      ⚠ no `source("hr", …)` line says what a record of hr means [no_meaning]
       ╭─[homeward.toml:1:10]
     1 │ [systems.hr]
       ·          ──
     2 │ kind = "csv"
       ╰────

      ⚠ no rule speaks of mattermost: it is never asked, and nothing is changed there [unheard_system]
        ╭─[homeward.toml:10:10]
      9 │
     10 │ [systems.mattermost]
        ·          ──────────
     11 │ kind = "mattermost"
        ╰────
      help: say how accounts are found there, `join("mattermost", "email");`, and what goes there, `copies("email",
            "mattermost");`; or take it out

      ⚠ `email` belongs to hr and no `copies` line brings it anywhere [goes_nowhere]
       ╭─[rules/people.rhai:1:1]
     1 │ owner("email", "hr");
       · ─────────────────────
     2 │ owner("email", "gitlab", |person| true);
       ╰────

      ⚠ this line never decides `email`: an earlier line, one without condition, does [unreachable_owner]
       ╭─[rules/people.rhai:1:1]
     1 │ owner("email", "hr");
       · ──────────┬──────────
       ·           ╰── decides first
     2 │ owner("email", "gitlab", |person| true);
       · ────────────────────┬───────────────────
       ·                     ╰── here
       ╰────

      ⚠ this is always true [always_true]
       ╭─[rules/people.rhai:2:35]
     1 │ owner("email", "hr");
     2 │ owner("email", "gitlab", |person| true);
       ·                                   ────
       ╰────

    -- exit 0
    "#);
    insta::assert_snapshot!(told(&world, &["--format", "json", "check"]), @r#"
    {
      "format": "homeward.check/1",
      "findings": [
        {
          "code": "no_meaning",
          "severity": "warning",
          "message": "no `source(\"hr\", …)` line says what a record of hr means",
          "file": "homeward.toml",
          "line": 1,
          "column": 10,
          "end": 12,
          "hint": null,
          "related": [],
          "silenced": null
        },
        {
          "code": "unheard_system",
          "severity": "warning",
          "message": "no rule speaks of mattermost: it is never asked, and nothing is changed there",
          "file": "homeward.toml",
          "line": 10,
          "column": 10,
          "end": 20,
          "hint": "say how accounts are found there, `join(\"mattermost\", \"email\");`, and what goes there, `copies(\"email\", \"mattermost\");`; or take it out",
          "related": [],
          "silenced": null
        },
        {
          "code": "goes_nowhere",
          "severity": "warning",
          "message": "`email` belongs to hr and no `copies` line brings it anywhere",
          "file": "rules/people.rhai",
          "line": 1,
          "column": 1,
          "end": 22,
          "hint": null,
          "related": [],
          "silenced": null
        },
        {
          "code": "unreachable_owner",
          "severity": "warning",
          "message": "this line never decides `email`: an earlier line, one without condition, does",
          "file": "rules/people.rhai",
          "line": 2,
          "column": 1,
          "end": 41,
          "hint": null,
          "related": [
            {
              "message": "decides first",
              "file": "rules/people.rhai",
              "line": 1,
              "column": 1,
              "end": 22
            }
          ],
          "silenced": null
        },
        {
          "code": "always_true",
          "severity": "warning",
          "message": "this is always true",
          "file": "rules/people.rhai",
          "line": 2,
          "column": 35,
          "end": 39,
          "hint": null,
          "related": [],
          "silenced": null
        }
      ],
      "errors": 0,
      "warnings": 5,
      "systems": 3,
      "owner_lines": 2,
      "rounds": {
        "verdict": "free",
        "trace": null
      }
    }
    -- stderr
    -- exit 0
    "#);
}

// Records as rules see them.
#[test]
fn a_column_that_is_not_there() {
    let world = rules(&RULES.replace("row.id", "row.ident"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × the record has no column `ident` (on people.csv:2)
       ╭─[rules/people.rhai:4:32]
     3 │ copies("email", "gitlab");
     4 │ source("hr", |row| #{ key: row.ident, email: row.email });
       ·                                ─────
     5 │ join("gitlab", "email");
       ╰────
      help: it has `id`, `email`
    -- exit 2
    "#);
}

#[test]
fn an_attribute_with_a_slip_of_the_finger() {
    let world = rules(&RULES.replace(", email: row", ", emial: row"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × unknown attribute `emial` (on people.csv:2)
       ╭─[rules/people.rhai:4:36]
     3 │ copies("email", "gitlab");
     4 │ source("hr", |row| #{ key: row.id, emial: row.email });
       ·                                    ─────
     5 │ join("gitlab", "email");
       ╰────
      help: did you mean `email`?
    -- exit 2
    "#);
}

#[test]
fn a_function_with_a_slip_of_the_finger() {
    let world = rules(&RULES.replace("row.email }", "row.email.trm() }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × unknown function `trm` (on people.csv:2)
       ╭─[rules/people.rhai:4:53]
     3 │ copies("email", "gitlab");
     4 │ source("hr", |row| #{ key: row.id, email: row.email.trm() });
       ·                                                     ───
     5 │ join("gitlab", "email");
       ╰────
      help: did you mean `trim`?
    -- exit 2
    "#);
}

#[test]
fn a_function_nobody_knows() {
    let world = rules(&RULES.replace("row.email }", "row.email.sanitize() }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × unknown function `sanitize` (on people.csv:2)
       ╭─[rules/people.rhai:4:53]
     3 │ copies("email", "gitlab");
     4 │ source("hr", |row| #{ key: row.id, email: row.email.sanitize() });
       ·                                                     ────────
     5 │ join("gitlab", "email");
       ╰────
      help: rules can say `owner`, `copies`, `source`, `join`, `account`, `temporary`, `range`, `route`, `refused`,
            `guard`, `test`, `cases`; a text has `trim`, `lower`, `upper`, `replace`, `split`, `before`, `after` and more
    -- exit 2
    "#);
    // Who checks first is told the same.
    let help = |ran: Ran| ran.stderr.rsplit_once("  help: ").unwrap().1.trim_end().to_owned();
    let planned = help(world.homeward(&["--lab", "plan", "hr=people.csv"]));
    assert!(planned.contains("a text has `trim`, `lower`"), "{planned}");
    assert_eq!(help(world.homeward(&["check"])), planned);
}

#[test]
fn a_record_without_a_key() {
    let world = rules(&RULES.replace("key: row.id, ", ""));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × the record has no key (on people.csv:2)
       ╭─[rules/people.rhai:4:1]
     3 │ copies("email", "gitlab");
     4 │ source("hr", |row| #{ email: row.email });
       · ──────
     5 │ join("gitlab", "email");
       ╰────
      help: `key` must be the source's own immutable key for the person, such as a number
    -- exit 2
    "#);
}

#[test]
fn a_source_that_returns_no_map() {
    let world = rules(&RULES.replace("#{ key: row.id, email: row.email }", "row.email"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × what the function for `hr` returns must be a map `#{ key: ... }` or (), but is text (on people.csv:2)
       ╭─[rules/people.rhai:4:1]
     3 │ copies("email", "gitlab");
     4 │ source("hr", |row| row.email);
       · ──────
     5 │ join("gitlab", "email");
       ╰────
      help: as in `source("hr", |row| #{ key: row.employee_id, email: row.email })`
    -- exit 2
    "#);
}

#[test]
fn a_loop_for_every_record() {
    let world = rules(&RULES.replace("#{ key: row.id, email: row.email }", "{ loop {} }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × the rule does not come to an end (on people.csv:2)
       ╭─[rules/people.rhai:4:1]
     3 │ copies("email", "gitlab");
     4 │ source("hr", |row| { loop {} });
       · ──────
     5 │ join("gitlab", "email");
       ╰────
      help: a rule has to be short work: look for a loop that does not end
    -- exit 2
    "#);
}

#[test]
fn a_rule_that_divides_text() {
    let world = rules(&RULES.replace("row.email }", "row.email / 2 }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × `/` cannot take text and a number (on people.csv:2)
       ╭─[rules/people.rhai:4:53]
     3 │ copies("email", "gitlab");
     4 │ source("hr", |row| #{ key: row.id, email: row.email / 2 });
       ·                                                     ─
     5 │ join("gitlab", "email");
       ╰────
      help: look at the types: a column of a record is always text
    -- exit 2
    "#);
}

#[test]
fn a_word_without_its_arguments() {
    let world = rules(&RULES.replace("row.email }", "lower() }"));
    for arguments in [&["--lab", "plan", "hr=people.csv"][..], &["check"]] {
        let ran = world.homeward(arguments);
        assert!(ran.stderr.contains("× `lower` is given no arguments"), "{}", ran.stderr);
        assert!(ran.stderr.contains("help: `lower` takes (text)"), "{}", ran.stderr);
        assert_eq!(ran.status, 2);
    }
}

#[test]
fn a_rule_that_says_no_itself() {
    let world = rules(&RULES.replace("row.email }", "{ throw \"no way\" } }"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × the rule says: no way (on people.csv:2)
       ╭─[rules/people.rhai:4:45]
     3 │ copies("email", "gitlab");
     4 │ source("hr", |row| #{ key: row.id, email: { throw "no way" } });
       ·                                             ─────
     5 │ join("gitlab", "email");
       ╰────
      help: the rule stops here by itself: look at what it was given, or at the rule
    -- exit 2
    "#);
}

#[test]
fn a_person_has_no_such_thing() {
    let world =
        rules(&RULES.replace("\"gitlab\");\nowner", "\"gitlab\", |person| person.gitlb?.username == \"x\");\nowner"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × `person` has nothing called `gitlb` (on people.csv:2)
       ╭─[rules/people.rhai:1:45]
     1 │ owner("username", "gitlab", |person| person.gitlb?.username == "x");
       ·                                             ─────
     2 │ owner("email", "hr");
       ╰────
      help: did you mean `gitlab`?
    -- exit 2
    "#);
}

#[test]
fn a_system_that_is_called_otherwise_than_its_kind() {
    let rules = RULES.replace("\"gitlab\"", "\"git\"");
    let rules = rules.replacen("\"git\")", "\"git\", |person| person.gitlab?.username == person.zitadel?.username)", 1);
    let world = config(&CONFIG.replace("[systems.gitlab]", "[systems.git]")).file("rules/people.rhai", &rules);
    let wrong = "`person` has nothing called `gitlab`; did you mean `git`?";
    let unknown = "`person` has nothing called `zitadel`; a person has attributes and systems; configured under \
                   [systems]: `git`, `hr`, `mattermost`";
    let checked: serde_json::Value =
        serde_json::from_str(&world.homeward(&["--format", "json", "check"]).stdout).unwrap();
    let said = |finding: &serde_json::Value| {
        format!("{}; {}", finding["message"].as_str().unwrap(), finding["hint"].as_str().unwrap_or_default())
    };
    let said: Vec<String> = checked["findings"].as_array().unwrap().iter().map(said).collect();
    assert!(said.iter().any(|it| it == wrong) && said.iter().any(|it| it == unknown), "{said:#?}");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × `person` has nothing called `gitlab` (on people.csv:2)
       ╭─[rules/people.rhai:1:42]
     1 │ owner("username", "git", |person| person.gitlab?.username == person.zitadel?.username);
       ·                                          ──────
     2 │ owner("email", "hr");
       ╰────
      help: did you mean `git`?
    -- exit 2
    "#);
    let world = world.file("rules/people.rhai", &rules.replace("join(\"git\"", "join(\"gitlab\""));
    let ran = world.homeward(&["check"]);
    assert!(
        ran.stderr.contains("unknown system `gitlab`") && ran.stderr.contains("did you mean `git`?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_condition_that_is_no_condition() {
    let world = rules(&RULES.replace("\"gitlab\");\nowner", "\"gitlab\", |person| \"yes\");\nowner"));
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × the condition of `owner` must be true or false, or nothing (`()`), but is text (on people.csv:2)
       ╭─[rules/people.rhai:1:1]
     1 │ owner("username", "gitlab", |person| "yes");
       · ─────
     2 │ owner("email", "hr");
       ╰────
      help: compare something, as in `|person| person.active == true`
    -- exit 2
    "#);
}

#[test]
fn a_source_without_a_line() {
    let world = rules("owner(\"email\", \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × the rules have no `source("hr", …)` line, so nobody can tell what its records mean
      help: add to a file in the folder of the rules; its columns are `id`, `email`:
            source("hr", |row| #{ key: row.id, email: row.email });
    -- exit 2
    "#);
    // Of a list that is known by other names, they are those that are there; of no row is anything shown.
    let world = world.file("homeward.toml", &CONFIG.replace("key = \"id\"", "key = \"Personalnummer\"")).file(
        "people.csv",
        "Personalnummer,Nachname,Vorname,E-Mail,a,b,c,d,e,f,g,h,i\n7,Meyer,Mia,mia@example.com,1,2,3,4,5,6,7,8,9\n",
    );
    let named = told(&world, &["check", "hr=people.csv"]);
    insta::assert_snapshot!(named, @r#"
    -- stderr
      × the rules have no `source("hr", …)` line, so nobody can tell what its records mean
      help: add to a file in the folder of the rules; its columns are `Personalnummer`, `Nachname`, `Vorname`, `E-Mail`,
            `a`, `b`, `c`, `d`, `e`, `f`, `g`, `h`, 1 more:
            source("hr", |row| #{ key: row.Personalnummer, email: row["E-Mail"] });
    -- exit 2
    "#);
    let line = named.split_once("source(\"hr\", |row|").unwrap().1.lines().next().unwrap();
    let world = world.file("rules/people.rhai", &format!("owner(\"email\", \"hr\");\nsource(\"hr\", |row|{line}\n"));
    assert_eq!(world.homeward(&["check", "hr=people.csv"]).status, 0);
    let world = rules("owner(\"email\", \"hr\");\n");
    insta::assert_snapshot!(told(&world, &["check"]), @r#"
    Usable: 3 systems, 1 owner line, 4 warnings.
    Certified: no attribute can go back and forth.
    -- stderr
      ⚠ no `source("hr", …)` line says what a record of hr means [no_meaning]
       ╭─[homeward.toml:1:10]
     1 │ [systems.hr]
       ·          ──
     2 │ kind = "csv"
       ╰────

      ⚠ no rule speaks of gitlab: it is never asked, and nothing is changed there [unheard_system]
       ╭─[homeward.toml:5:10]
     4 │
     5 │ [systems.gitlab]
       ·          ──────
     6 │ kind = "gitlab"
       ╰────
      help: say how accounts are found there, `join("gitlab", "email");`, and what goes there, `copies("email",
            "gitlab");`; or take it out

      ⚠ no rule speaks of mattermost: it is never asked, and nothing is changed there [unheard_system]
        ╭─[homeward.toml:10:10]
      9 │
     10 │ [systems.mattermost]
        ·          ──────────
     11 │ kind = "mattermost"
        ╰────
      help: say how accounts are found there, `join("mattermost", "email");`, and what goes there, `copies("email",
            "mattermost");`; or take it out

      ⚠ `email` belongs to hr and no `copies` line brings it anywhere [goes_nowhere]
       ╭─[rules/people.rhai:1:1]
     1 │ owner("email", "hr");
       · ─────────────────────
       ╰────

    -- exit 0
    "#);
}

// Files.
#[test]
fn a_file_that_is_not_there() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=nobody.csv"]), @r"
    -- stderr
      × nobody.csv: the file cannot be read: No such file or directory
      help: check the name; it is looked for in the working folder, or in that of -C DIR
    -- exit 4
    ");
}

#[test]
fn an_empty_file() {
    let world = project().file("empty.csv", "");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=empty.csv"]), @r"
    -- stderr
      × empty.csv: the file is empty
      help: an empty list is never taken to mean that everybody left; ask the sender
    -- exit 4
    ");
}

#[test]
fn a_header_alone() {
    let world = project().file("header.csv", "id,email\n");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=header.csv"]), @r"
    -- stderr
      × header.csv: there is a header and no row below it
      help: an empty list is never taken to mean that everybody left; ask the sender
    -- exit 4
    ");
}

#[test]
fn a_workbook_is_not_csv() {
    let world = project().file("people.xlsx", "PK\u{3}\u{4}\u{14}\u{0}");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.xlsx"]), @r"
    -- stderr
      × people.xlsx: this is not CSV: it looks like a ZIP archive, such as an Excel workbook (.xlsx)
      help: export it as CSV; renaming it does not change what it is
    -- exit 4
    ");
}

#[test]
fn a_folder_is_no_file() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=rules"]), @r"
    -- stderr
      × rules: this is no regular file
      help: name a file on disk: it is read twice, so a pipe will not do
    -- exit 4
    ");
}

#[test]
fn the_key_column_has_another_name() {
    let world = project().file("people.csv", "ident,email\n7,mia@example.com\n");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × people.csv: no header was found in the first 20 lines: no line holds the column `id`
      help: check `key`; where the column has another name in this file, say so: columns = { id = ["its name"] }; and
            check `delimiter`
    -- exit 4
    "#);
}

#[test]
fn an_encoding_that_is_not_configured() {
    let world = {
        let world = project();
        world.write("people.csv", b"id,email\n7,m\xfcller@example.com\n");
        world
    };
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × people.csv: line 2 is not UTF-8, and no encoding is configured
      help: likely `encoding = "windows-1252"` or `encoding = "iso-8859-15"` (`windows-1250` in central Europe): set it
            for this system and look at the names in the plan, or export as UTF-8
    -- exit 4
    "#);
}

#[test]
fn an_encoding_that_is_configured_for_a_file_in_utf8() {
    let world = config(&CONFIG.replace("key = \"id\"", "key = \"id\"\nencoding = \"windows-1252\""));
    world.write("people.csv", "id,email\n7,müller@example.com\n".as_bytes());
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r#"
    -- stderr
      × people.csv: the file is UTF-8, but `encoding` says windows-1252: letters beyond ASCII would be taken for others
      help: remove `encoding` from this system: UTF-8 is what is expected
    -- exit 4
    "#);
}

#[test]
fn an_encoding_that_is_configured_for_a_file_with_a_key_in_utf8() {
    let config = CONFIG.replace("key = \"id\"", "key = \"Prüfnummer\"\nencoding = \"windows-1252\"");
    let world = World::new().file("homeward.toml", &config).file("rules/people.rhai", RULES);
    world.write("people.csv", "Prüfnummer,email\n7,mueller@example.com\n".as_bytes());
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv"]);
    assert!(ran.stderr.contains("the file is UTF-8, but `encoding` says windows-1252"), "{}", ran.stderr);
    assert_eq!(ran.status, 4);
}

// The command line.
#[test]
fn an_input_without_its_file() {
    let world = project();
    let ran = world.homeward(&["--lab", "plan", "hr="]);
    assert_eq!((ran.status, ran.stderr.as_str()), (2, "  × `hr=` names no file\n  help: as in hr=people.csv\n"));
}

#[test]
fn a_lab_that_runs_takes_no_more_people() {
    let world = project();
    let ran = world.homeward(&["lab", "--people", "0", "stop"]);
    let told = "  × --people and --detach say nothing to a lab that runs\n  help: they are for a lab that begins: homeward lab \
                --people 100 --detach\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (2, told));
    // Where the project is may be said before and after the word.
    for words in [&["lab", "-c", "homeward.toml", "stop"][..], &["lab", "-C", ".", "stop"], &["-C", ".", "lab", "stop"]]
    {
        let told = world.homeward(words).stderr;
        assert!(told.contains("start one with: homeward lab --detach"), "{words:?} {told}");
    }
}

#[test]
fn an_input_without_its_system() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "people.csv"]), @r"
    -- stderr
      × `people.csv` does not say whose records it holds
      help: write SYSTEM=FILE: hr=people.csv
    -- exit 2
    ");
}

#[test]
fn a_system_with_a_slip_of_the_finger() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hrr=people.csv"]), @r"
    -- stderr
      × no system `hrr` is configured
      help: did you mean `hr`?
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "payroll=people.csv"]), @r"
    -- stderr
      × no system `payroll` is configured
      help: configured under [systems]: gitlab, hr, mattermost
    -- exit 2
    ");
}

#[test]
fn a_provider_reads_no_file() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "gitlab=people.csv"]), @r#"
    -- stderr
      × `gitlab` is a provider of kind `gitlab` and reads no file
      help: only sources such as kind = "csv" take a file: homeward plan hr=people.csv
    -- exit 2
    "#);
}

#[test]
fn a_command_with_a_slip_of_the_finger() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["pln"]), @r"
    -- stderr
    error: unrecognized subcommand 'pln'

      tip: some similar subcommands exist: 'link', 'plan'

    Usage: homeward [OPTIONS] <COMMAND>

    For more information, try '--help'.
    -- exit 2
    ");
    // Who asked for JSON gets it, whatever was wrong with the rest.
    for format in [&["--format", "json"][..], &["--format=json"]] {
        let ran = world.homeward(&[format, &["pln"]].concat());
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let error = &told["errors"][0];
        assert_eq!((ran.status, &told["format"]), (2, &"homeward.errors/1".into()));
        assert_eq!(error["message"], "unrecognized subcommand 'pln'");
        assert!(error["hint"].as_str().unwrap().contains("'plan'"), "{told}");
    }
    assert_eq!(world.homeward(&["--format", "json", "--version"]).status, 0);
    insta::assert_snapshot!(told(&world, &["plan"]), @r"
    -- stderr
    error: the following required arguments were not provided:
      <SYSTEM=FILE>...

    Usage: homeward plan <SYSTEM=FILE>...

    For more information, try '--help'.
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv", "--al"]), @r"
    -- stderr
    error: unexpected argument '--al' found

      tip: a similar argument exists: '--all'

    Usage: homeward plan --all <SYSTEM=FILE>...

    For more information, try '--help'.
    -- exit 2
    ");
}

#[test]
fn apply_asks_and_nobody_is_there() {
    let world = project().file("lab/gitlab.json", r#"{"users": [{"id": 42, "username": "mia", "email": "mia@example.com"}, {"id": 43, "username": "lars", "email": "old@example.com"}]}"#).file("rules/people.rhai", &RULES.replace("email: row", "active: false, email: row").replace("\"email\", \"hr\"", "[\"email\", \"active\"], \"hr\"").replace("\"email\", \"gitlab\"", "[\"email\", \"active\"], \"gitlab\""));
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "hr=people.csv"]), @r#"
    hr/7
      apply  active gitlab true → false  c1 a copy of what hr says (rules/people.rhai:2:1)
                                            a blocked account cannot sign in, here or to what signs in through GitLab

    system  disable  calls
    gitlab        1      1

    Also at gitlab: 1 × a blocked account cannot sign in, here or to what signs in through GitLab
    Plan: 1 change in 1 call, 1 of 2 people unchanged.
    -- stderr
    read 1 system in 4 requests
      × nothing is changed without asking, and nobody is there to answer
      help: read the plan first with `homeward --lab plan`, then give --yes
    -- exit 2
    "#);
}

#[test]
fn a_saved_plan_that_is_none() {
    let world = project()
        .file("text.json", "no JSON")
        .file("other.json", "{}")
        .file("newer.json", r#"{"format": "homeward.plan/9"}"#);
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "nowhere.json"]), @r"
    -- stderr
      × nowhere.json cannot be read: No such file or directory
      help: give a plan saved with --out, or inputs as SYSTEM=FILE
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "text.json"]), @r"
    -- stderr
      × text.json is no plan this program can apply: it is no JSON (expected ident at line 1 column 2)
      help: a saved plan is what `homeward plan … --out plan.json` wrote; an input is SYSTEM=FILE: hr=people.csv
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "people.csv"]), @r"
    -- stderr
      × people.csv is no plan this program can apply: it is no JSON (expected value at line 1 column 1)
      help: a saved plan is what `homeward plan … --out plan.json` wrote; an input is SYSTEM=FILE: hr=people.csv
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "other.json"]), @r"
    -- stderr
      × other.json is no plan this program can apply: it has no `format`
      help: make it again with: homeward plan … --out plan.json
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "newer.json"]), @r"
    -- stderr
      × newer.json is no plan this program can apply: its format is `homeward.plan/9`, this program knows
      │ `homeward.plan/1`
      help: make it again with: homeward plan … --out plan.json
    -- exit 2
    ");
}

#[test]
fn a_saved_plan_that_was_edited() {
    let world = project();
    world.homeward(&["--lab", "plan", "hr=people.csv", "--out", "plan.json"]);
    world.write("plan.json", world.read("plan.json").replace("people.csv", "others.csv").as_bytes());
    insta::assert_snapshot!(told(&world, &["--lab", "apply", "--yes", "plan.json"]), @r"
    -- stderr
      × plan.json is no plan this program can apply: it was changed after it was saved (its id does not match)
      help: make it again with: homeward plan … --out plan.json
    -- exit 2
    ");
}

#[test]
fn places_where_no_plan_can_be_saved() {
    let world = project();
    let told = |place: &str, words: &[&str]| {
        let ran = world.homeward(&[words, &["--out", place]].concat());
        (ran.status, ran.stderr.lines().next().unwrap_or_default().to_owned())
    };
    for (place, why) in
        [("people.csv/plan.json", "not a directory"), ("rules", "is a directory"), ("gone/", "is a directory")]
    {
        for words in [&["--lab", "plan", "hr=people.csv"][..], &["--lab", "undo", "1"]] {
            assert_eq!(told(place, words), (2, format!("  × {place} cannot be written: {why}")));
        }
    }
}

#[test]
fn a_plan_that_cannot_be_saved() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv", "--out", "nowhere/plan.json"]), @r#"
    -- stderr
      × nowhere/plan.json cannot be written: No such file or directory
      help: choose another place with --out
    -- exit 2
    "#);
}

#[test]
fn init_overwrites_nothing() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["init"]), @r"
    -- stderr
      × this folder already holds homeward.toml and 2 more, and nothing is overwritten
      help: choose another folder, such as: homeward init homeward-try
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["init", "."]), @r"
    -- stderr
      × . already holds homeward.toml and 2 more, and nothing is overwritten
      help: choose another folder, such as: homeward init homeward-try
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["init", "people.csv"]), @r"
    -- stderr
      × people.csv/homeward.toml cannot be written: File exists
      help: choose a folder that you may write to: homeward init DIR
    -- exit 2
    ");
}

#[test]
fn a_run_that_never_was() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["runs", "9"]), @r"
    -- stderr
      × there is no run 9
      help: list them with: homeward runs
    -- exit 2
    ");
}

#[test]
fn errors_are_data_where_that_is_asked_for() {
    let world = rules("owner(\"usrname\", \"gitlab\");\n  ownr(1);\n");
    insta::assert_snapshot!(told(&world, &["--format", "json", "check"]), @r#"
    {
      "format": "homeward.check/1",
      "findings": [
        {
          "code": "unknown_attribute",
          "severity": "error",
          "message": "unknown attribute `usrname`",
          "file": "rules/people.rhai",
          "line": 1,
          "column": 7,
          "end": 16,
          "hint": "did you mean `username`?",
          "related": [],
          "silenced": null
        },
        {
          "code": "unknown_function",
          "severity": "error",
          "message": "unknown function `ownr`",
          "file": "rules/people.rhai",
          "line": 2,
          "column": 3,
          "end": 7,
          "hint": "did you mean `owner`?",
          "related": [],
          "silenced": null
        }
      ],
      "errors": 2,
      "warnings": 0,
      "systems": 3,
      "owner_lines": 0,
      "rounds": null
    }
    -- stderr
    -- exit 2
    "#);
    insta::assert_snapshot!(told(&world, &["--format", "json", "-C", "nowhere", "check"]), @r#"
    {
      "format": "homeward.errors/1",
      "errors": [
        {
          "message": "there is no folder nowhere",
          "file": null,
          "line": null,
          "column": null,
          "hint": "-C DIR works in a folder that is there; `homeward init DIR` makes one"
        }
      ]
    }
    -- stderr
      × there is no folder nowhere
      help: -C DIR works in a folder that is there; `homeward init DIR` makes one
    -- exit 2
    "#);
}

#[test]
fn quiet_still_tells_what_is_wrong() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["-q", "plan", "people.csv"]), @r"
    -- stderr
      × `people.csv` does not say whose records it holds
      help: write SYSTEM=FILE: hr=people.csv
    -- exit 2
    ");
}

// The lab.
#[test]
fn nothing_can_be_asked_of_a_lab_that_does_not_run() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["lab", "login", "gitlab", "mia"]), @r"
    -- stderr
      × no lab of this project runs
      help: start one with: homeward lab --detach
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["lab", "stop"]), @r"
    -- stderr
      × no lab of this project runs
      help: start one with: homeward lab --detach
    -- exit 2
    ");
}

#[test]
fn a_lab_runs_once() {
    let world = {
        let mut world = project();
        world.start_lab(&[]);
        world
    };
    insta::assert_snapshot!(told(&world, &["lab"]), @r"
    -- stderr
      × a lab of this project runs already
      help: use it with --lab, or end it with: homeward lab stop
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["lab", "--detach"]), @r"
    -- stderr
      × a lab of this project runs already
      help: use it with --lab, or end it with: homeward lab stop
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["lab", "login", "gitlb", "mia"]), @r"
    -- stderr
      × the lab has no system `gitlb`
      help: did you mean `gitlab`?
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["lab", "login", "gitlab", "nobody"]), @r"
    -- stderr
      × gitlab has no user `nobody`
      help: what it holds is shown by: homeward lab show gitlab
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["lab", "set", "gitlab", "version"]), @r#"
    -- stderr
      × `version` is no JSON: expected value at line 1 column 1
      help: put it in single quotes, such as '{"version":"3.2.1"}'
    -- exit 2
    "#);
    insta::assert_snapshot!(told(&world, &["lab", "set", "gitlab", r#"{"vrsion": 1}"#]), @r"
    -- stderr
      × settings: unknown key `vrsion`
      help: did you mean `version`?
    -- exit 2
    ");
}

#[test]
fn a_lab_that_cannot_write_where_it_is() {
    let world = project().file(".homeward", "a file in the place of the folder");
    insta::assert_snapshot!(told(&world, &["lab", "--detach"]), @r"
    -- stderr
      × the lab did not start: .homeward cannot be written: File exists
      help: the lab writes down where it is: check the rights of this folder
    -- exit 2
    ");
    std::fs::remove_file(world.path(".homeward")).unwrap();
    std::fs::create_dir_all(world.path(".homeward/lab.log")).unwrap();
    insta::assert_snapshot!(told(&world, &["lab", "--detach"]), @r"
    -- stderr
      × the lab did not start: .homeward/lab.log cannot be written: Is a directory
      help: the lab writes down where it is: check the rights of this folder
    -- exit 2
    ");
}

#[test]
fn a_seed_with_an_unknown_key() {
    let world = project().file("lab/gitlab.json", r#"{"usrs": []}"#);
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r"
    -- stderr
      × lab/gitlab.json cannot be used: unknown key `usrs`
      help: did you mean `users`?
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["lab"]), @r"
    -- stderr
      × lab/gitlab.json cannot be used: unknown key `usrs`
      help: did you mean `users`?
    -- exit 2
    ");
}

#[test]
fn a_seed_with_an_unknown_key_of_a_user() {
    let world = project().file("lab/gitlab.json", r#"{"users": [{"usrname": "mia"}]}"#);
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r"
    -- stderr
      × lab/gitlab.json cannot be used: users[0]: unknown key `usrname`
      help: did you mean `username`?
    -- exit 2
    ");
}

#[test]
fn a_seed_that_is_no_json() {
    let world = project().file("lab/gitlab.json", "{");
    insta::assert_snapshot!(told(&world, &["--lab", "plan", "hr=people.csv"]), @r"
    -- stderr
      × lab/gitlab.json cannot be used: it is no JSON (EOF while parsing an object at line 1 column 1)
      help: mend this file, or remove it: a lab can start empty
    -- exit 2
    ");
}

#[test]
fn a_plan_is_saved_whole_and_never_over_anything_but_a_plan() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = project();
    let list = world.read("people.csv");
    std::os::unix::fs::symlink("people.csv", world.path("link.json")).unwrap();
    for place in ["people.csv", "./rules/../people.csv", "link.json"] {
        let ran = world.homeward(&["--lab", "plan", "hr=people.csv", "--out", place]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("--out would write over") && ran.stderr.contains("which is no plan"),
            "{}",
            ran.stderr
        );
        assert_eq!(world.read("people.csv"), list);
    }
    let before = world.read("homeward.toml");
    let ran = world.homeward(&["--lab", "plan", "hr=people.csv", "--out", "homeward.toml"]);
    assert_eq!((ran.status, world.read("homeward.toml")), (2, before), "{}", ran.stderr);
    // What was there, and who might read it, is gone with it.
    let before = format!("{{\n  \"format\": \"homeward.plan/1\"{}", " ".repeat(1 << 20));
    world.write("plan.json", before.as_bytes());
    std::fs::set_permissions(world.path("plan.json"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(world.homeward(&["--lab", "plan", "hr=people.csv", "--out", "plan.json"]).status, 0);
    let mode = std::fs::metadata(world.path("plan.json")).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, world.read("plan.json").starts_with('{')), (0o600, true));
    let names = std::fs::read_dir(world.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".part")).collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new());
}

#[test]
fn words_that_are_no_run_and_no_date() {
    let world = project();
    insta::assert_snapshot!(told(&world, &["undo", "yesterday"]), @r"
    -- stderr
    error: invalid value 'yesterday' for '<RUN>': a run is called by its number, as `homeward runs` shows it

    For more information, try '--help'.
    -- exit 2
    ");
    insta::assert_snapshot!(told(&world, &["plan", "hr=people.csv", "--today", "02.12.2026"]), @r"
    -- stderr
    error: invalid value '02.12.2026' for '--today <DATE>': a date is written YYYY-MM-DD, as 2026-12-31

    For more information, try '--help'.
    -- exit 2
    ");
}
