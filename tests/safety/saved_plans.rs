//! A plan's id is a digest, and anybody can compute one: it proves that a file is whole, not that it is ours.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::company::Company;

/// The bytes of a document: the parts spread out, every entry of a list on a line, with a space behind each comma and colon.
fn laid_out(value: &Value, depth: usize) -> String {
    let (open, close, entries) = match value {
        Value::Array(items) => ('[', ']', items.iter().map(|item| laid_out(item, depth + 1)).collect()),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", json!(key), laid_out(value, depth + 1));
            ('{', '}', entries.iter().map(entry).collect::<Vec<_>>())
        }
        plain => return plain.to_string(),
    };
    if entries.is_empty() || depth >= 2 {
        return format!("{open}{}{close}", entries.join(", "));
    }
    let line = format!("\n{}", "  ".repeat(depth));
    format!("{open}{line}  {}{line}{close}", entries.join(&format!(",{line}  ")))
}

/// The document with the id that belongs to what it holds now.
fn sealed(mut plan: Value) -> Value {
    plan["id"] = format!("sha256:{}", "0".repeat(64)).into();
    let digest = Sha256::digest(laid_out(&plan, 0) + "\n");
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    plan["id"] = format!("sha256:{hex}").into();
    plan
}

fn call<'a>(plan: &'a mut Value, system: &str, operation: &str) -> &'a mut Value {
    let calls = plan["calls"].as_array_mut().unwrap();
    calls.iter_mut().find(|call| call["system"] == system && call["operation"] == operation).unwrap()
}

/// What is forged, and how.
type Forgery = (&'static str, Box<dyn Fn(&mut Value)>);

#[test]
fn a_saved_plan_that_is_whole_but_not_ours_sends_nothing() {
    let company = Company::new();
    let world = &company.world;
    let ran = world.homeward(&["plan", "hr=people.csv", "--out", "honest.json"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let honest: Value = serde_json::from_str(&world.read("honest.json")).unwrap();
    assert_eq!(sealed(honest.clone()), honest, "this is how a plan is sealed");
    assert_eq!(laid_out(&honest, 0) + "\n", world.read("honest.json"), "and this is how it is laid out");
    let before = company.states();
    let path = |path: &'static str| -> Box<dyn Fn(&mut Value)> {
        Box::new(move |plan| call(plan, "gitlab", "update")["path"] = path.into())
    };
    let forgeries: Vec<Forgery> = vec![
        ("another host", path("//evil.example/api/v4/users/41")),
        ("an address", path("http://evil.example/api/v4/users/41")),
        ("a step up", path("/api/v4/users/../projects/1")),
        ("a step up in disguise", path("/api/v4/users/%2e%2E/projects/1")),
        ("a query", path("/api/v4/users/41?admin=true")),
        ("a fragment", path("/api/v4/users/41#x")),
        ("a backslash", path("/api/v4/users/\\evil.example")),
        ("no slash", path("api/v4/users/41")),
        ("nothing", path("")),
        ("a line end", path("/api/v4/users/41\r\nHost: evil.example")),
        ("letters beyond ASCII", path("/api/v4/users/４１")),
        ("somebody else's account", path("/api/v4/users/44")),
        ("another interface", path("/api/v4/users/41/impersonation_tokens")),
        ("a deletion", Box::new(|plan| call(plan, "gitlab", "update")["method"] = "DELETE".into())),
        ("another method", Box::new(|plan| call(plan, "gitlab", "update")["method"] = "POST".into())),
        ("no method", Box::new(|plan| call(plan, "gitlab", "update")["method"] = "GET /x HTTP/1.1\r\n".into())),
        ("a field more", Box::new(|plan| call(plan, "gitlab", "update")["body"]["admin"] = true.into())),
        ("another value", Box::new(|plan| call(plan, "gitlab", "update")["body"]["username"] = "mallory".into())),
        ("a header", Box::new(|plan| call(plan, "gitlab", "update")["headers"] = json!({ "Sudo": "root" }))),
        ("another host's name", Box::new(|plan| call(plan, "gitlab", "update")["headers"] = json!({ "Host": "evil" }))),
        (
            "a header that splits",
            Box::new(|plan| call(plan, "gitlab", "update")["headers"] = json!({ "x": "1\r\ny: 2" })),
        ),
        ("a password field", Box::new(|plan| call(plan, "gitlab", "update")["generated"] = json!(["password"]))),
        ("another account", Box::new(|plan| call(plan, "gitlab", "update")["account"] = "1".into())),
        ("a path for an account", Box::new(|plan| call(plan, "mattermost", "update")["account"] = "../../x".into())),
        ("an unknown system", Box::new(|plan| call(plan, "gitlab", "update")["system"] = "evil".into())),
        ("a system that is a path", Box::new(|plan| call(plan, "gitlab", "update")["system"] = "../../evil".into())),
        ("a source", Box::new(|plan| call(plan, "gitlab", "update")["system"] = "hr".into())),
        ("nothing intended", Box::new(|plan| call(plan, "gitlab", "update")["intends"] = json!({}))),
        ("what is not listed", Box::new(|plan| plan["changes"] = json!([]))),
        (
            "a removal that limits cannot see",
            Box::new(|plan| {
                let removal = plan["changes"].as_array_mut().unwrap().iter_mut();
                removal.filter(|change| change["after"] == false).for_each(|change| change["decision"] = "hold".into());
            }),
        ),
        (
            "totals that overflow",
            Box::new(|plan| {
                plan["summary"]["refused"] = u64::MAX.into();
                plan["summary"]["held"] = 1.into();
            }),
        ),
        (
            "a call twice",
            Box::new(|plan| {
                let again = plan["calls"][0].clone();
                plan["calls"].as_array_mut().unwrap().push(again);
                let calls = plan["summary"]["calls"].as_u64().unwrap();
                plan["summary"]["calls"] = (calls + 1).into();
            }),
        ),
        (
            "a circle",
            Box::new(|plan| {
                let last = plan["calls"].as_array().unwrap().last().unwrap()["id"].clone();
                plan["calls"][0]["after"] = json!([last]);
            }),
        ),
        ("itself", Box::new(|plan| plan["calls"][0]["after"] = json!([plan["calls"][0]["id"]]))),
        ("another format", Box::new(|plan| plan["format"] = "homeward.plan/2".into())),
        ("a key more", Box::new(|plan| plan["calls"][0]["url"] = "http://evil.example".into())),
    ];
    for (what, forge) in forgeries {
        for server in company.servers.values() {
            server.forget();
        }
        let mut plan = honest.clone();
        forge(&mut plan);
        world.write("forged.json", sealed(plan).to_string().as_bytes());
        let ran = world.homeward(&["apply", "forged.json", "--yes"]);
        let told = format!("{what}: {} {}{}", ran.status, ran.stdout, ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{told}");
        match ran.status {
            // Refused whole.
            2 => assert_eq!(company.writes(), Vec::<String>::new(), "{told}"),
            // That call alone; the honest ones beside it are carried out, once.
            7 => {
                let paths = company.writes();
                assert!(!paths.iter().any(|line| line == "PUT /api/v4/users/41"), "{told}{paths:?}");
                assert!(
                    company.servers["gitlab"].writes().iter().all(|line| !line.starts_with("PUT")),
                    "{told}{paths:?}"
                );
            }
            _ => panic!("{told}"),
        }
    }
    let renamed = |states: &[Value]| states[0].to_string().contains("wquarterstaff");
    assert!(!renamed(&before) && !renamed(&company.states()), "no forgery of this call was sent");
}

#[test]
fn a_saved_plan_that_is_ours_is_carried_out_whole() {
    let company = Company::new();
    let world = &company.world;
    assert_eq!(world.homeward(&["plan", "hr=people.csv", "--out", "honest.json"]).status, 0);
    let ran = world.homeward(&["apply", "honest.json", "--yes"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    let again = world.homeward(&["plan", "hr=people.csv", "--detailed-exitcode"]);
    assert_eq!(again.status, 0, "{}", again.stdout);
}

#[test]
fn a_protected_account_is_safe_from_a_plan_that_was_saved_before_it_was_protected() {
    let company = Company::new();
    let world = &company.world;
    assert_eq!(world.homeward(&["plan", "hr=people.csv", "--out", "early.json"]).status, 0);
    company.configure("[limits]\nprotected = [\"gitlab:ifjellhammer\", \"gitlab:41\"]\n");
    let ran = world.homeward(&["apply", "early.json", "--yes"]);
    assert_eq!(ran.status, 7, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(company.servers["gitlab"].writes(), ["POST /api/v4/users"]);
}

#[test]
fn what_is_no_plan_is_refused_without_a_stumble() {
    let company = Company::new();
    let world = &company.world;
    let deep = "[".repeat(100_000);
    for text in ["", "null", "[]", "{}", "{\"format\":7}", "{\"format\":\"homeward.plan/1\"}", "\u{1b}[2J", &deep] {
        world.write("odd.json", text.as_bytes());
        let ran = world.homeward(&["apply", "odd.json", "--yes"]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(!ran.stderr.contains('\u{1b}') && !ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    world.write("odd.json", &[0xff; 64]);
    assert_eq!(world.homeward(&["apply", "odd.json", "--yes"]).status, 2);
    assert_eq!(company.writes(), Vec::<String>::new());
}
