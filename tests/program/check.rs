//! What `check` finds: every fault that is planted in a folder of rules, in its place, and nothing else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a file that cannot be read fails the test")]

#[path = "check/cases.rs"]
mod cases;
use std::{collections::BTreeSet, fs, path::Path};

use crate::common::{Ran, World};
use cases::{BASE, CASES, CONFIG, Case, SAMPLE, UNHEARD};
use serde_json::{Value, json};

fn sound() -> World {
    World::new().file("homeward.toml", CONFIG.trim_start()).file("hr.csv", SAMPLE).file("rules/base.rhai", BASE)
}

fn world(case: &Case) -> World {
    let mut world =
        World::new().file("homeward.toml", &format!("{}{}", CONFIG.trim_start(), case.config)).file("hr.csv", SAMPLE);
    if case.with_base {
        world = world.file("rules/base.rhai", BASE);
    }
    case.files.iter().fold(world, |world, (name, text)| world.file(name, text))
}

/// A warning that is silenced, one that is not, and an error with a second word about it.
fn faulty() -> World {
    sound().file(
        "rules/case.rhai",
        "// homeward: allow(unused_constant) for later\nconst SPARE = 1;\nroute(|change| if change.attribute == \"emial\" { hold(\"100%\") });\n\
         owner(\"email\", \"gitlab\", |person| person.active == true);\n",
    )
}

/// Everything that was found, as the cases write it.
fn found(ran: &Ran) -> Vec<String> {
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let line = |finding: &Value| {
        let silenced = finding["silenced"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let place = match &finding["file"] {
            Value::Null => "-".to_owned(),
            file => format!("{}:{}:{}", file.as_str().unwrap(), finding["line"], finding["column"]),
        };
        format!("{place} {}{silenced}", finding["code"].as_str().unwrap())
    };
    document["findings"].as_array().unwrap().iter().map(line).collect()
}

fn told(ran: &Ran) -> String {
    format!("{}-- stderr\n{}-- exit {}", ran.stdout, ran.stderr, ran.status)
}

#[test]
fn every_planted_fault_is_named_in_its_place_and_nothing_else_is() {
    let mut wrong = Vec::new();
    for case in CASES {
        let ran = world(case).homeward(&["--format", "json", "check"]);
        let found = found(&ran);
        let errors: Value = serde_json::from_str(&ran.stdout).unwrap();
        let status = if errors["errors"] == 0 { 0 } else { 2 };
        if found != case.found || ran.status != status || !ran.stderr.is_empty() {
            wrong.push(format!("{}:\n  {found:#?}\n  instead of {:#?}\n{}", case.name, case.found, ran.stderr));
        }
    }
    assert!(CASES.len() >= 20);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rules_without_fault_are_good() {
    insta::assert_snapshot!(told(&sound().homeward(&["check", "--deny-warnings"])), @r"
    Good: 3 systems, 1 owner line, 0 warnings.
    Certified: no attribute can go back and forth.
    -- stderr
    -- exit 0
    ");
}

#[test]
fn all_shipped_rules_are_silent() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut checked = 0;
    for entry in fs::read_dir(examples).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        let name = entry.file_name().into_string().unwrap();
        let world = World::example(&name);
        if !world.path("rules").exists() {
            continue;
        }
        for config in fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().path()) {
            if config.extension().is_some_and(|it| it == "toml") {
                let config = config.file_name().unwrap().to_str().unwrap();
                let ran = world.homeward(&["-c", config, "check", "--deny-warnings"]);
                assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{name} {config}: {}", ran.stdout);
                checked += 1;
            }
        }
    }
    assert!(checked >= 6, "{checked}");
    // Those that a new project begins with.
    let begun = World::new();
    assert_eq!(begun.homeward(&["init"]).status, 0);
    let ran = begun.homeward(&["check", "--deny-warnings"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
}

#[test]
fn findings_are_drawn_with_both_places_and_a_hint() {
    insta::assert_snapshot!(told(&faulty().homeward(&["check"])), @r#"
    Faulty: 3 systems, 2 owner lines, 1 error, 1 warning, 1 silenced.
    -- stderr
      × this is always false: `emial` is not an attribute [cannot_be]
       ╭─[rules/case.rhai:3:39]
     2 │ const SPARE = 1;
     3 │ route(|change| if change.attribute == "emial" { hold("100%") });
       ·                                       ───────
     4 │ owner("email", "gitlab", |person| person.active == true);
       ╰────
      help: did you mean `email`?

      ⚠ this line never decides `email`: an earlier line, one without condition, does [unreachable_owner]
       ╭─[rules/case.rhai:4:1]
     3 │ route(|change| if change.attribute == "emial" { hold("100%") });
     4 │ owner("email", "gitlab", |person| person.active == true);
       · ─────────────────────────────────────────────────────────
       ╰────
      ☞ decides first
       ╭─[rules/base.rhai:1:1]
     1 │ owner(["username", "email", "active"], "hr");
       · ─────────────────────────────────────────────
     2 │ copies(["username", "email"], ["gitlab", "mattermost"]);
       ╰────

    -- exit 2
    "#);
}

#[test]
fn findings_are_data() {
    insta::assert_snapshot!(told(&faulty().homeward(&["--format", "json", "check"])), @r#"
    {
      "format": "homeward.check/1",
      "findings": [
        {
          "code": "unused_constant",
          "severity": "warning",
          "message": "nothing uses the constant `SPARE`",
          "file": "rules/case.rhai",
          "line": 2,
          "column": 7,
          "end": 12,
          "hint": null,
          "related": [],
          "silenced": "for later"
        },
        {
          "code": "cannot_be",
          "severity": "error",
          "message": "this is always false: `emial` is not an attribute",
          "file": "rules/case.rhai",
          "line": 3,
          "column": 39,
          "end": 46,
          "hint": "did you mean `email`?",
          "related": [],
          "silenced": null
        },
        {
          "code": "unreachable_owner",
          "severity": "warning",
          "message": "this line never decides `email`: an earlier line, one without condition, does",
          "file": "rules/case.rhai",
          "line": 4,
          "column": 1,
          "end": 58,
          "hint": null,
          "related": [
            {
              "message": "decides first",
              "file": "rules/base.rhai",
              "line": 1,
              "column": 1,
              "end": 46
            }
          ],
          "silenced": null
        }
      ],
      "errors": 1,
      "warnings": 1,
      "systems": 3,
      "owner_lines": 2,
      "rounds": null
    }
    -- stderr
    -- exit 2
    "#);
}

#[test]
fn findings_are_annotations_of_a_workflow() {
    let world = faulty();
    insta::assert_snapshot!(told(&world.homeward(&["check", "--output", "github"])), @r"
    ::error file=rules/case.rhai,line=3,col=39,endColumn=46,title=homeward cannot_be::this is always false: `emial` is not an attribute%0Adid you mean `email`?
    ::warning file=rules/case.rhai,line=4,col=1,endColumn=58,title=homeward unreachable_owner::this line never decides `email`: an earlier line, one without condition, does
    -- stderr
    -- exit 2
    ");
    // From the folder above, files are named from there.
    let above = World::new().file("people/homeward.toml", CONFIG).file("people/rules/a,b.rhai", "const X = 1;\n");
    insta::assert_snapshot!(told(&above.homeward(&["-C", "people", "check", "--output", "github"])), @r#"
    ::warning file=people/homeward.toml,line=2,col=10,endColumn=16,title=homeward unheard_system::no rule speaks of gitlab: it is never asked, and nothing is changed there%0Asay how accounts are found there, `join("gitlab", "email");`, and what goes there, `copies("email", "gitlab");`; or take it out
    ::warning file=people/homeward.toml,line=7,col=10,endColumn=20,title=homeward unheard_system::no rule speaks of mattermost: it is never asked, and nothing is changed there%0Asay how accounts are found there, `join("mattermost", "email");`, and what goes there, `copies("email", "mattermost");`; or take it out
    ::warning file=people/homeward.toml,line=12,col=10,endColumn=12,title=homeward no_meaning::no `source("hr", …)` line says what a record of hr means
    ::warning file=people/rules/a%2Cb.rhai,line=1,col=7,endColumn=8,title=homeward unused_constant::nothing uses the constant `X`
    -- stderr
    -- exit 0
    "#);
}

#[test]
fn a_configuration_that_cannot_be_read_is_a_finding_too() {
    let world = sound().file("homeward.toml", &CONFIG.replace("url =", "urll ="));
    insta::assert_snapshot!(told(&world.homeward(&["check", "--output", "github"])), @r"
    ::error file=homeward.toml,line=4,col=1,endColumn=5,title=homeward configuration::unknown key `urll` in [systems.gitlab]; did you mean `url`?
    ::error file=homeward.toml,line=9,col=1,endColumn=5,title=homeward configuration::unknown key `urll` in [systems.mattermost]; did you mean `url`?
    -- stderr
    -- exit 2
    ");
}

#[test]
fn a_list_beside_the_configuration_that_cannot_be_read_so_is_told() {
    let world = sound().file("homeward.toml", &CONFIG.trim_start().replace("key = \"id\"", "key = \"number\""));
    let ran = world.homeward(&["check"]);
    let message = "no list of hr beside the configuration can be read: hr.csv: no header was found";
    assert!(ran.status == 0 && ran.stderr.contains(message), "{}", told(&ran));
    assert_eq!(found(&world.homeward(&["check", "--format", "json"])), ["- unread_list"]);
}

#[test]
fn findings_are_sarif() {
    let ran = faulty().homeward(&["check", "--output", "sarif"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (2, ""));
    let mut document: Value = serde_json::from_str(&ran.stdout).unwrap();
    conforms(&document);
    let rules = document["runs"][0]["tool"]["driver"]["rules"].take();
    let ids: BTreeSet<&str> = rules.as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.as_array().unwrap().len());
    for result in document["runs"][0]["results"].as_array().unwrap() {
        let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[at]["id"], result["ruleId"]);
        assert_eq!(rules[at]["defaultConfiguration"]["level"], result["level"]);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap(), @r#"
    {
      "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
      "version": "2.1.0",
      "runs": [
        {
          "tool": {
            "driver": {
              "name": "homeward",
              "version": "0.1.0",
              "rules": null
            }
          },
          "columnKind": "unicodeCodePoints",
          "results": [
            {
              "ruleId": "unused_constant",
              "level": "warning",
              "message": {
                "text": "nothing uses the constant `SPARE`"
              },
              "ruleIndex": 77,
              "locations": [
                {
                  "physicalLocation": {
                    "artifactLocation": {
                      "uri": "rules/case.rhai"
                    },
                    "region": {
                      "startLine": 2,
                      "startColumn": 7,
                      "endColumn": 12,
                      "snippet": {
                        "text": "const SPARE = 1;"
                      }
                    }
                  }
                }
              ],
              "suppressions": [
                {
                  "kind": "inSource",
                  "justification": "for later"
                }
              ]
            },
            {
              "ruleId": "cannot_be",
              "level": "error",
              "message": {
                "text": "this is always false: `emial` is not an attribute\ndid you mean `email`?"
              },
              "ruleIndex": 3,
              "locations": [
                {
                  "physicalLocation": {
                    "artifactLocation": {
                      "uri": "rules/case.rhai"
                    },
                    "region": {
                      "startLine": 3,
                      "startColumn": 39,
                      "endColumn": 46,
                      "snippet": {
                        "text": "route(|change| if change.attribute == \"emial\" { hold(\"100%\") });"
                      }
                    }
                  }
                }
              ]
            },
            {
              "ruleId": "unreachable_owner",
              "level": "warning",
              "message": {
                "text": "this line never decides `email`: an earlier line, one without condition, does"
              },
              "ruleIndex": 75,
              "locations": [
                {
                  "physicalLocation": {
                    "artifactLocation": {
                      "uri": "rules/case.rhai"
                    },
                    "region": {
                      "startLine": 4,
                      "startColumn": 1,
                      "endColumn": 58,
                      "snippet": {
                        "text": "owner(\"email\", \"gitlab\", |person| person.active == true);"
                      }
                    }
                  }
                }
              ],
              "relatedLocations": [
                {
                  "physicalLocation": {
                    "artifactLocation": {
                      "uri": "rules/base.rhai"
                    },
                    "region": {
                      "startLine": 1,
                      "startColumn": 1,
                      "endColumn": 46,
                      "snippet": {
                        "text": "owner([\"username\", \"email\", \"active\"], \"hr\");"
                      }
                    }
                  },
                  "id": 1,
                  "message": {
                    "text": "decides first"
                  }
                }
              ]
            }
          ]
        }
      ]
    }
    "#);
    conforms(&serde_json::from_str(&sound().homeward(&["check", "--output", "sarif"]).stdout).unwrap());
}

/// The parts of the published structure of SARIF 2.1.0 that the document uses: what each object must have, what it may
/// have, and which words are allowed.
fn conforms(document: &Value) {
    let keys = |value: &Value, must: &[&str], may: &[&str]| {
        let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
        for key in must {
            assert!(object.contains_key(*key), "{key} is missing in {value}");
        }
        for key in object.keys() {
            assert!(must.contains(&key.as_str()) || may.contains(&key.as_str()), "{key} is unknown in {value}");
        }
    };
    let text = |message: &Value| {
        keys(message, &["text"], &["markdown", "id", "arguments"]);
        assert!(!message["text"].as_str().unwrap().is_empty());
    };
    let level = |level: &Value| assert!(["none", "note", "warning", "error"].contains(&level.as_str().unwrap()));
    let location = |location: &Value| {
        keys(location, &["physicalLocation"], &["id", "message"]);
        if let Some(id) = location.get("id") {
            assert!(id.as_i64().unwrap() >= -1);
        }
        let place = &location["physicalLocation"];
        keys(place, &["artifactLocation", "region"], &["contextRegion"]);
        keys(&place["artifactLocation"], &["uri"], &["uriBaseId", "index"]);
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~/%".contains(c);
        assert!(uri.chars().all(allowed) && !uri.starts_with('/'), "{uri}");
        let region = &place["region"];
        keys(region, &["startLine", "startColumn", "endColumn"], &["snippet", "endLine"]);
        let number = |key: &str| region[key].as_u64().unwrap();
        assert!(number("startLine") >= 1 && number("startColumn") >= 1 && number("endColumn") > number("startColumn"));
        text(&region["snippet"]);
    };
    keys(document, &["$schema", "version", "runs"], &[]);
    assert_eq!(document["version"], "2.1.0");
    for run in document["runs"].as_array().unwrap() {
        keys(run, &["tool", "results"], &["columnKind"]);
        assert!(["utf16CodeUnits", "unicodeCodePoints"].contains(&run["columnKind"].as_str().unwrap()));
        keys(&run["tool"], &["driver"], &["extensions"]);
        keys(&run["tool"]["driver"], &["name"], &["version", "rules", "informationUri"]);
        for rule in run["tool"]["driver"]["rules"].as_array().unwrap() {
            keys(rule, &["id"], &["shortDescription", "fullDescription", "defaultConfiguration"]);
            text(&rule["shortDescription"]);
            text(&rule["fullDescription"]);
            keys(&rule["defaultConfiguration"], &["level"], &[]);
            level(&rule["defaultConfiguration"]["level"]);
        }
        for result in run["results"].as_array().unwrap() {
            let may = ["ruleId", "ruleIndex", "level", "locations", "relatedLocations", "suppressions"];
            keys(result, &["message"], &may);
            text(&result["message"]);
            level(&result["level"]);
            for key in ["locations", "relatedLocations"] {
                result.get(key).into_iter().flat_map(|list| list.as_array().unwrap()).for_each(location);
            }
            for suppression in result.get("suppressions").into_iter().flat_map(|list| list.as_array().unwrap()) {
                keys(suppression, &["kind"], &["justification", "status"]);
                assert!(["inSource", "external"].contains(&suppression["kind"].as_str().unwrap()));
            }
        }
    }
}

#[test]
fn warnings_fail_only_where_that_is_asked_for() {
    let world = sound().file("rules/case.rhai", "const SPARE = 1;\n");
    assert_eq!(world.homeward(&["check"]).status, 0);
    assert_eq!(world.homeward(&["check", "--deny-warnings"]).status, 2);
    let silenced = sound().file("rules/case.rhai", "const SPARE = 1; // homeward: allow(unused_constant) soon\n");
    let ran = silenced.homeward(&["check", "--deny-warnings"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("Good: 3 systems, 1 owner line, 0 warnings, 1 silenced.\n"), "{}", ran.stdout);
}

#[test]
fn a_warning_about_the_configuration_is_silenced_there() {
    let silenced = "coverage = \"full\" # homeward: allow(absence_unheard) known\nsays = \"state\"";
    let world = sound().file("homeward.toml", &CONFIG.trim_start().replace("says = \"state\"", silenced));
    let world = world.file("rules/base.rhai", UNHEARD);
    assert_eq!(found(&world.homeward(&["--format", "json", "check"])), ["homeward.toml:14:12 absence_unheard (known)"]);
}

#[test]
fn every_code_can_be_explained() {
    let world = World::new();
    insta::assert_snapshot!(told(&world.homeward(&["check", "--explain", "would_revert"])), @r#"
    would_revert (warning)

    A source states, again and again, what it does not own: it would undo the owner's changes for ever. Let it own the attribute, or configure says = "changes".

    Where it is meant, say so on the line or the one above it:
      // homeward: allow(would_revert) the reason
    -- stderr
    -- exit 0
    "#);
    insta::assert_snapshot!(told(&world.homeward(&["check", "--explain", "would_rever"])), @r"
    -- stderr
      × there is no code `would_rever`
      help: did you mean `would_revert`?
    -- exit 2
    ");
    let all: Value = serde_json::from_str(&world.homeward(&["--format", "json", "check", "--explain"]).stdout).unwrap();
    let known: BTreeSet<&str> =
        all["codes"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect();
    for case in CASES {
        for line in case.found {
            let code = line.split(' ').nth(1).unwrap();
            assert!(known.contains(code), "{code}");
        }
    }
    assert_eq!(
        all["codes"][0],
        json!({
            "code": "assigned", "severity": "error",
            "meaning": "`=` sets a value, and everything a rule is handed is read-only. `==` compares.",
        })
    );
}
