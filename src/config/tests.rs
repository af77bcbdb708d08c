//! The file as people write it, right and wrong.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn kinds() -> Kinds {
    let provider = |name, takes_key, schema| ProviderKind { name, takes_key, records: None, schema };
    let webhook = json!({ "type": "object", "additionalProperties": false, "required": ["secret"], "properties": {
        "listen": { "type": "string" }, "secret": { "$ref": "#/$defs/Secret" } } });
    let secret = json!({ "type": "object", "writeOnly": true, "properties": { "env": { "type": "string" } } });
    Kinds {
        providers: vec![
            provider("forge", false, json!({ "type": "object", "properties": { "group": { "type": "string" } } })),
            provider(
                "chat",
                true,
                json!({ "$defs": { "Hook": webhook, "Secret": secret }, "type": "object", "properties": {
                    "team": { "type": "string" }, "webhook": { "$ref": "#/$defs/Hook" },
                    "login": { "enum": ["email", "username"] } } }),
            ),
        ],
        sources: vec![SourceKind {
            name: "table",
            says: Says::State,
            schema: json!({ "type": "object", "required": ["key"], "properties": {
                "key": { "type": "string", "examples": ["employee_id"] },
                "columns": { "type": "object", "additionalProperties": { "type": "array", "items": { "type": "string" } } },
                "header_rows": { "type": "integer", "minimum": 1, "maximum": 10 } } }),
        }],
        announced: vec!["website"],
    }
}

fn parsed(text: &str) -> Result<Config, ConfigErrors> {
    parse(text, Path::new("/project"), "homeward.toml", &kinds())
}

/// What is wrong, one line for each: what it points at, the message, the hint.
fn faults(text: &str) -> Vec<String> {
    let errors = parsed(text).unwrap_err();
    assert_eq!(&*errors.text, text);
    errors
        .errors
        .iter()
        .map(|error| {
            let at = error.span().map_or("-", |span| &text[span]);
            format!("{at} | {error} | {}", error.hint().unwrap_or_else(|| "-".to_owned()))
        })
        .collect()
}

/// The faults of one provider with these lines.
fn of_forge(lines: &str) -> Vec<String> {
    faults(&format!("[systems.git]\nkind = \"forge\"\n{lines}\n"))
}

const WHOLE: &str = r#"
rules = "regeln"
state = "var/state.db"

[systems.git]
kind = "forge"
url = "https://git.example.com"
token = { env = "GIT_TOKEN" }
group = "staff"

[systems.chat]
kind = "chat"
url = "http://localhost:8065/chat"
key = { file = "key.json" }
concurrency = 3
timeout = "5m"
webhook.listen = "127.0.0.1:1"
webhook.secret = { env = "S" }

[systems.hr]
kind = "table"
says = "changes"
key = "employee_id"
columns = { employee_id = ["Personalnummer"] }

[limits]
changes = "20%"
removals = { share = "2.5%", at_least = 5 }
protected = ["git:root", "chat:sysadmin"]
"#;

#[test]
fn a_whole_file_is_read_into_types() {
    let config = parsed(WHOLE).unwrap();
    assert_eq!(
        (config.rules, config.state),
        (PathBuf::from("/project/regeln"), PathBuf::from("/project/var/state.db"))
    );
    let git = &config.systems[&"git".into()];
    assert_eq!((git.kind.as_str(), &git.options, git.says), ("forge", &json!({ "group": "staff" }), None));
    let reach = git.provider.as_ref().unwrap();
    assert_eq!(reach.url.as_str(), "https://git.example.com/");
    assert_eq!(reach.credential, CredentialSource::Token(SecretSource::Env("GIT_TOKEN".to_owned())));
    assert_eq!((reach.concurrency, reach.timeout), (None, Duration::from_secs(30)));
    let chat = config.systems[&"chat".into()].provider.as_ref().unwrap();
    assert_eq!(chat.credential, CredentialSource::Key(SecretSource::File("/project/key.json".into())));
    assert_eq!((chat.concurrency, chat.timeout), (Some(3), Duration::from_mins(5)));
    let hr = &config.systems[&"hr".into()];
    assert_eq!(hr.says, Some(Says::Changes));
    assert_eq!(hr.options, json!({ "key": "employee_id", "columns": { "employee_id": ["Personalnummer"] } }));
    assert!(hr.provider.is_none());
    assert_eq!(config.limits.changes.unwrap().to_string(), "20%");
    assert_eq!(
        config.limits.removals.map(|removals| (removals.share.to_string(), removals.at_least)),
        Some(("2.5%".to_owned(), 5))
    );
    let protected: Vec<(&str, &str)> =
        config.limits.protected.iter().map(|one| (one.system.as_str(), one.account.as_str())).collect();
    assert_eq!(protected, [("git", "root"), ("chat", "sysadmin")]);
}

#[test]
fn a_key_is_found_again_for_errors_that_come_later() {
    let config = parsed(WHOLE).unwrap();
    let at = |system: &str, key: &str| &WHOLE[config.place(&system.into(), key).unwrap()];
    assert_eq!(at("git", "group"), "\"staff\"");
    assert_eq!(at("chat", "webhook.listen"), "\"127.0.0.1:1\"");
    assert_eq!(at("hr", "delimiter"), "hr", "a key that is not there: the system");
    assert_eq!(config.place(&"nobody".into(), "key"), None);
}

#[test]
fn little_is_needed() {
    let config = parsed("systems.hr = { kind = \"table\", key = \"id\" }").unwrap();
    assert_eq!(
        (config.rules, config.state),
        (PathBuf::from("/project/rules"), PathBuf::from("/project/.homeward/state.db"))
    );
    assert_eq!(config.systems[&"hr".into()].says, Some(Says::State));
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn a_value_where_a_table_belongs_is_told_what_the_table_holds() {
    let text = "[systems.hr]\nkind = \"table\"\nkey = \"id\"\nsays = \"state\"\n[limits]\nremovals = \"5%\"\n";
    assert_eq!(
        faults(text),
        ["\"5%\" | `removals` is a text, but must be a table | such as `removals = { share = \"5%\", at_least = 5 }`"]
    );
    assert_eq!(
        faults(&text.replace("\"5%\"", "5")),
        ["5 | `removals` is a number, but must be a table | such as `removals = { share = \"2%\", at_least = 5 }`"]
    );
}

#[test]
fn what_is_no_name_of_a_variable_is_not_shown() {
    let text = "[systems.git]\nkind = \"forge\"\nurl = \"https://g\"\ntoken = { env = \"glpat-secret\" }\n";
    let told = faults(text).join("\n");
    assert!(told.contains("what `env` says is no name of an environment variable"), "{told}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_in_order() {
    let text = r#"
rulez = "rules"
state = "postgres://localhost/homeward"

[systems.git]
kind = "forge"
url = "http://git.example.com"
token = "glpat-secret"
concurrency = "many"
timeout = "5 minutes"
gruop = "staff"

[systems.chat]
kind = "chaat"

[systems.old]
kind = "website"

[systems.hr]
kind = "table"
says = "stat"
header_rows = 0

[limits]
changes = "200%"
removals = { shar = "5%" }
protected = ["gti:root", "root", "hr:1"]
"#;
    assert_eq!(
        faults(text),
        [
            "rulez | unknown key `rulez` in this file; did you mean `rules`? | -",
            "\"postgres://localhost/homeward\" | a store at an address is not supported yet | name a file, such as `.homeward/state.db`",
            "\"http://git.example.com\" | this address is not encrypted: everybody on the way could read the token | use `https://`, or set `insecure_http = true` for this system if the way there is safe",
            "\"glpat-secret\" | a secret does not belong into this file | say where it is found: `token = { env = \"GIT_TOKEN\" }` or `token = { file = \"…\" }`",
            "\"many\" | `concurrency` is a text, but must be a whole number | write it without quotes",
            "\"5 minutes\" | `timeout` is not a duration | such as `30s`, `5m` or `1h`",
            "gruop | unknown key `gruop` in [systems.git]; did you mean `group`? | -",
            "\"chaat\" | `kind` cannot be `chaat`; did you mean `chat`? | it is one of `forge`, `chat`, `table`",
            "\"website\" | `website` is not available in this version | kinds that are: `forge`, `chat`, `table`",
            "hr | `key` is missing in [systems.hr] | add `key = \"employee_id\"`",
            "\"stat\" | `says` cannot be `stat`; did you mean `state`? | it is one of `state`, `changes`",
            "0 | `header_rows` must be from 1 to 10 | -",
            "\"200%\" | `changes` is not a share of people | such as `5%` or `2.5%`, up to `100%`",
            "shar | unknown key `shar` in [limits.removals]; did you mean `share`? | -",
            "\"gti:root\" | `gti` is no configured provider; did you mean `git`? | -",
            "\"root\" | `root` does not name an account | write `system:account`, such as `gitlab:root`",
            "\"hr:1\" | `hr` is no configured provider | -",
        ]
    );
}

#[test]
fn what_a_system_needs_is_named_with_what_to_add() {
    assert_eq!(faults("[systems.forge2]"), ["forge2 | `kind` is missing in [systems.forge2] | add `kind = \"forge\"`"]);
    assert_eq!(
        of_forge(""),
        [
            "git | `url` is missing in [systems.git] | add `url = \"https://git.example.com\"`",
            "git | `token` is missing in [systems.git] | add `token = { env = \"GIT_TOKEN\" }`",
        ]
    );
    assert_eq!(
        faults("rules = \"r\""),
        ["- | no system is configured | add a table such as `[systems.gitlab]` with `kind`, `url` and `token`"]
    );
    assert_eq!(
        faults("[system.git]\nkind = \"forge\""),
        ["system | unknown key `system` in this file; did you mean `systems`? | -"]
    );
}

#[test]
fn a_credential_is_one_and_has_one_place() {
    let with = |lines: &str| of_forge(&format!("url = \"https://a.example\"\n{lines}"));
    assert_eq!(
        with("token = {}"),
        [
            "{} | `token` needs either `env` or `file` | such as `token = { env = \"NAME\" }` or `token = { file = \"/run/secrets/name\" }`"
        ]
    );
    assert_eq!(
        with("token = { env = \"A\", file = \"b\" }"),
        ["{ env = \"A\", file = \"b\" } | `env` and `file` are both given | keep `env` or `file`"]
    );
    assert_eq!(
        with("key = { file = \"b\" }"),
        ["key | a forge takes a token, and no key | replace `key` by `token = { env = \"…\" }`"]
    );
    assert_eq!(
        with("token = { evn = \"A\" }"),
        ["evn | unknown key `evn` in [systems.git.token]; did you mean `env`? | -"]
    );
    assert_eq!(
        with("token = { env = \"A\" }\nkey = { file = \"b\" }"),
        ["key | `token` and `key` are both given | keep `token` or `key`"]
    );
}

#[test]
fn the_settings_of_a_kind_are_checked_to_the_bottom() {
    let text = r#"
[systems.chat]
kind = "chat"
url = "https://chat.example.com"
token = { env = "T" }
team = 5
login = "mail"
webhook = { listn = "x", secret = "abc" }

[systems.hr]
kind = "table"
key = "id"
columns = { id = ["a", 7] }
"#;
    assert_eq!(
        faults(text),
        [
            "5 | `team` is a number, but must be text in quotes | write it as `team = \"…\"`",
            "\"mail\" | `login` cannot be `mail`; did you mean `email`? | it is one of `email`, `username`",
            "listn | unknown key `listn` in [systems.chat.webhook]; did you mean `listen`? | -",
            "\"abc\" | a secret does not belong into this file | say where it is found: `secret = { env = \"CHAT_WEBHOOK_SECRET\" }` or `secret = { file = \"…\" }`",
            "7 | `1` is a number, but must be text in quotes | write it in quotes",
        ]
    );
}

#[test]
fn a_system_has_a_name_that_rules_can_write() {
    let named = |name: &str| faults(&format!("[systems.{name}]\nkind = \"table\"\nkey = \"id\"\n"));
    let hint = "rules say `person.<name>`: a small letter first, then small letters, digits and `_`";
    assert_eq!(
        named("email"),
        [format!("email | `email` cannot name a system: it is the name of an attribute | {hint}")]
    );
    assert_eq!(named("my-git"), [format!("my-git | `my-git` cannot name a system: rules could not write it | {hint}")]);
}

#[test]
fn text_that_is_no_toml_is_told_where() {
    let errors = faults("rules = \n[systems.git\nkind = 5\n");
    assert!(errors.len() >= 2, "{errors:?}");
    let doubled = faults("rules = \"a\"\nrules = \"b\"\n");
    assert_eq!(doubled, ["rules | this is here a second time | keep one of them"]);
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let told = |file: &Path| {
        let errors = load(file, &kinds()).unwrap_err();
        (errors.errors[0].to_string(), errors.errors[0].hint())
    };
    let file = folder.path().join("homeward.toml");
    let shown = file.display().to_string();
    assert_eq!(
        told(&file),
        (
            format!("there is no {shown}"),
            Some(
                "go where it is, name it with -c, or begin with `homeward init`, which writes a working project"
                    .to_owned()
            )
        )
    );
    std::fs::write(&file, b"rules = \"a\"\n# J\xF6rg\n").unwrap();
    assert_eq!(told(&file), ("line 2 is not UTF-8".to_owned(), Some("save the file as UTF-8".to_owned())));
    std::fs::write(&file, format!("\u{FEFF}{WHOLE}")).unwrap();
    let config = load(&file, &kinds()).unwrap();
    assert_eq!(config.root, folder.path());
    assert_eq!(&config.text[config.place(&"git".into(), "group").unwrap()], "\"staff\"", "a mark does not move places");
}

#[test]
fn the_schema_holds_every_kind_and_its_definitions() {
    let schema = schema::schema(&kinds());
    assert_eq!(
        schema["properties"]["systems"]["additionalProperties"]["oneOf"],
        json!([
        { "$ref": "#/$defs/systems.forge" }, { "$ref": "#/$defs/systems.chat" }, { "$ref": "#/$defs/systems.table" } ])
    );
    let chat = &schema["$defs"]["systems.chat"];
    assert_eq!(chat["required"], json!(["kind", "url"]));
    assert_eq!(chat["additionalProperties"], json!(false));
    assert_eq!(chat["properties"]["kind"]["const"], "chat");
    assert_eq!(chat["properties"]["webhook"], json!({ "$ref": "#/$defs/chat.Hook" }));
    assert_eq!(schema["$defs"]["chat.Hook"]["properties"]["secret"], json!({ "$ref": "#/$defs/chat.Secret" }));
    let text = schema.to_string();
    for target in text.split("\"$ref\":\"#/$defs/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(schema["$defs"].get(target).is_some(), "{target} leads nowhere");
    }
}

proptest! {
    #[test]
    fn noise_never_panics_and_every_error_lies_in_the_text(
        lines in prop::collection::vec(
            prop::sample::select(WHOLE.lines().chain(["[limits]", "ü = 'ü'", "a = [[", "url = 5", "kind = []", "x.y.z = 1", "\u{FEFF}"]).collect::<Vec<_>>()),
            0..12,
        ),
        noise in "\\PC{0,20}",
    ) {
        let text = format!("{}\n{noise}", lines.join("\n"));
        if let Err(errors) = parsed(&text) {
            prop_assert!(!errors.errors.is_empty());
            for span in errors.errors.iter().filter_map(ConfigError::span) {
                prop_assert!(text.get(span).is_some());
            }
        }
    }
}
