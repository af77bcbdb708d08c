//! Faulty folders of rules, and everything that is wrong with each.
//!
//! Beside the files of a case lie a configuration, a sample of HR's file and, unless the case says otherwise, a script
//! without fault that says who owns what.

/// One folder and what there is to find in it: `file:line:column code`.
pub(crate) struct Case {
    /// What is wrong, in a word.
    pub(crate) name: &'static str,
    /// Added to the configuration.
    pub(crate) config: &'static str,
    /// Whether the sound script lies beside the files.
    pub(crate) with_base: bool,
    pub(crate) files: &'static [(&'static str, &'static str)],
    pub(crate) found: &'static [&'static str],
}

const CASE: Case = Case { name: "", config: "", with_base: true, files: &[], found: &[] };

pub(crate) const CONFIG: &str = r#"
[systems.gitlab]
kind = "gitlab"
url = "https://git.example.com"
token = { env = "GITLAB_TOKEN" }

[systems.mattermost]
kind = "mattermost"
url = "https://chat.example.com"
token = { env = "MATTERMOST_TOKEN" }

[systems.hr]
kind = "csv"
key = "id"
says = "state"
"#;

pub(crate) const SAMPLE: &str =
    "id,username,email,first_name,last_name,status\n1,ada,ada@example.com,Ada,Byron,Active\n";

/// Rules without fault.
pub(crate) const BASE: &str = r#"owner(["username", "email", "active"], "hr");
copies(["username", "email"], ["gitlab", "mattermost"]);
source("hr", |row| #{ key: row.id, username: row.username.lower(), email: row.email.lower(), active: row.status == "Active" });
join("gitlab", ["email", "username"]);
join("mattermost", ["email"]);
account("gitlab", |person| person.active);
"#;

/// Rules by which nobody owns whether somebody is there.
pub(crate) const UNHEARD: &str = r#"owner(["username", "email"], "hr");
copies(["username", "email"], "gitlab");
source("hr", |row| #{ key: row.id, username: row.username.lower(), email: row.email.lower() });
join("gitlab", ["email", "username"]);
join("mattermost", ["email"]);
"#;

/// A second source that speaks of changes only.
const SITE: &str = "[systems.site]\nkind = \"csv\"\nkey = \"id\"\nsays = \"changes\"\n";

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "accounts that not everybody has",
        files: &[(
            "rules/case.rhai",
            r#"fn service(person) { person.mattermost.auth_service }
route(|change| {
    if change.account.is_admin == true { return hold("an administrator") }
    if change.person.gitlab != () && change.person.gitlab.is_admin == true { return hold("an administrator") }
    let chat = change.person.mattermost;
    if chat == () { return }
    if chat.auth_service == "saml" { return hold("from the directory") }
    if service(change.person) == "gitlab" { hold("its owner first") }
});

route(|change| if change.person.mattermost["auth_service"] == "ldap" { hold("from the directory") });

route(|change| if change.person.hr.department == "x" { hold("ask them") });
"#,
        )],
        found: &[
            "rules/case.rhai:3:23 may_be_missing",
            "rules/case.rhai:11:44 may_be_missing",
            "rules/case.rhai:13:36 may_be_missing",
        ],
        ..CASE
    },
    Case {
        name: "values that are neither true nor false",
        files: &[(
            "rules/case.rhai",
            r#"account("mattermost", |person| if !person.active { false });
route(|change| if change.person.active != () && !change.person.active { hold("gone") });
route(|change| if !change.person.gitlab?.is_admin { hold("no administrator") });
route(|change| if change.person.gitlab != () && !change.person.gitlab.is_admin { hold("no administrator") });
route(|change| if change.person.active && change.attribute == "email" { hold("still here") });
route(|change| if change.person.active == true && change.attribute == "email" { hold("still here") });
"#,
        )],
        found: &[
            "rules/case.rhai:1:36 may_be_missing",
            "rules/case.rhai:3:20 may_be_missing",
            "rules/case.rhai:5:19 may_be_missing",
        ],
        ..CASE
    },
    Case {
        name: "accounts that are looked into where they are there",
        files: &[(
            "rules/case.rhai",
            r#"fn is_admin(person) { person.gitlab.is_admin == true }
route(|change| {
    let person = change.person;
    if person.gitlab != () && is_admin(person) { return hold("an administrator") }
    if person.gitlab.username == "root" { return hold("an administrator") }
});
route(|change| if change.account?.is_admin == true && change.account.username != "root" { hold("an administrator") });
route(|change| {
    let chat = change.person.mattermost;
    if chat == () { return }
    if chat.auth_service == "ldap" && change.person.mattermost.username == "x" { return hold("from the directory") }
});
route(|change| switch change.person.mattermost { () => (), _ => if change.person.mattermost.username == "y" { hold("y") } });
"#,
        )],
        found: &[],
        ..CASE
    },
    Case {
        name: "unknown properties of a person and of accounts",
        files: &[(
            "rules/case.rhai",
            r#"route(|change| {
    if change.person.usrname == "root" { return hold("an administrator") }
    if change.person.gitlab?.usrname == "root" { return hold("an administrator") }
    if change.person.gitlb?.username == "root" { return hold("an administrator") }
    if change.account?.auth_servce == "ldap" { return hold("from the directory") }
    if change.person.hr?.statu == "x" { return hold("strange") }
});
"#,
        )],
        found: &[
            "rules/case.rhai:2:22 unknown_property",
            "rules/case.rhai:3:30 unknown_property",
            "rules/case.rhai:4:22 unknown_property",
            "rules/case.rhai:5:24 unknown_property",
            "rules/case.rhai:6:26 unknown_property",
        ],
        ..CASE
    },
    Case {
        name: "owners that depend on themselves",
        files: &[(
            "rules/case.rhai",
            r#"copies(["position", "nickname", "first_name", "last_name"], "mattermost");
owner("position", "mattermost", |person| person.nickname == "x");
owner("nickname", "hr", |person| person.mattermost?.auth_service != "gitlab" && person.position == "y");
owner("first_name", "mattermost", |person| person.first_name == "x");
owner("last_name", "mattermost", |person| person.username == "x");
owner("last_name", "hr", |person| person.last_name == "x");
"#,
        )],
        found: &[
            "rules/case.rhai:1:1 copy_to_owner",
            "rules/case.rhai:1:1 copy_to_owner",
            "rules/case.rhai:3:1 owner_cycle",
            "rules/case.rhai:3:1 owner_says_nothing",
            "rules/case.rhai:4:1 owner_cycle",
            "rules/case.rhai:6:1 owner_says_nothing",
        ],
        ..CASE
    },
    Case {
        name: "unknown properties of a change, a refusal and a plan",
        files: &[(
            "rules/case.rhai",
            r#"route(|change| if change.atribute == "email" { hold("an address") });
refused("mattermost", |change, refusal| if refusal.kid == "taken" || change.frm == "" { drop("never mind") });
guard(|plan| {
    if plan.sumary.changes > 10 { return hold("many") }
    if plan.summary.chnges > 10 { return hold("many") }
    if plan.changes.some(|change| change.atribute == "email") { return hold("addresses") }
    if plan.calls[0].methd == "DELETE" { return hold("deletes") }
});
"#,
        )],
        found: &[
            "rules/case.rhai:1:26 unknown_property",
            "rules/case.rhai:2:52 unknown_property",
            "rules/case.rhai:2:77 unknown_property",
            "rules/case.rhai:4:13 unknown_property",
            "rules/case.rhai:5:21 unknown_property",
            "rules/case.rhai:6:42 unknown_property",
            "rules/case.rhai:7:22 unknown_property",
        ],
        ..CASE
    },
    Case {
        name: "an account in a function that it is passed to",
        files: &[(
            "rules/case.rhai",
            r#"fn is_robot(account) { account?.is_bt == true }
fn of(person) { is_robot(person.mattermost) }
account("mattermost", |person| !of(person));
"#,
        )],
        found: &["rules/case.rhai:1:33 unknown_property"],
        ..CASE
    },
    Case {
        name: "columns that the sample does not have",
        with_base: false,
        files: &[(
            "rules/case.rhai",
            r#"owner(["username", "email"], "hr");
copies(["username", "email"], ["gitlab", "mattermost"]);
source("hr", |row| #{ key: row.id, username: row.usrname.lower(), email: row["e-mail"].lower() });
join("gitlab", ["email"]);
join("mattermost", ["email"]);
"#,
        )],
        found: &["rules/case.rhai:3:50 unknown_column", "rules/case.rhai:3:78 unknown_column"],
        ..CASE
    },
    Case {
        name: "a column that the configuration spells otherwise",
        config: "[systems.site]\nkind = \"csv\"\nkey = \"id\"\nsays = \"changes\"\ncolumns = { nickname = [\"Spitzname\"] }\n",
        files: &[(
            "rules/case.rhai",
            r#"owner("nickname", "site");
copies("nickname", "mattermost");
source("site", |user| #{ key: user.id, nickname: if user.has("extra") { user.extra } else { user.nicknam } });
"#,
        )],
        found: &["rules/case.rhai:3:98 undeclared_column"],
        ..CASE
    },
    Case {
        name: "comparisons with what cannot be",
        files: &[(
            "rules/case.rhai",
            r#"const NAME = "usrname";
route(|change| {
    if change.attribute == "usrname" { return hold("a") }
    if change.attribute == NAME { return hold("b") }
    if "gitlap" == change.system { return hold("c") }
    if change.asked_by != "hrr" { return hold("d") }
    if change.owner in ["gitlab", "matermost"] { return hold("e") }
    if change.person.active == "true" { return hold("f") }
    if change.person.username == 7 { return hold("g") }
    switch change.attribute { "email" => hold("h"), "activ" | "username" => hold("i") }
});
refused("gitlab", |change, refusal| if refusal.kind == "own_elsewhere" { to("gitlab") });
guard(|plan| if plan.changes.some(|one| one.decision == "applied") { hold("j") });
"#,
        )],
        found: &[
            "rules/case.rhai:3:28 cannot_be",
            "rules/case.rhai:4:28 cannot_be",
            "rules/case.rhai:5:8 cannot_be",
            "rules/case.rhai:6:27 cannot_be",
            "rules/case.rhai:7:35 cannot_be",
            "rules/case.rhai:8:32 cannot_be",
            "rules/case.rhai:9:34 cannot_be",
            "rules/case.rhai:10:53 cannot_be",
            "rules/case.rhai:12:56 cannot_be",
            "rules/case.rhai:13:57 cannot_be",
        ],
        ..CASE
    },
    Case {
        name: "texts that are not filled in",
        files: &[(
            "rules/case.rhai",
            r#"route(|change| {
    if change.to == "${change.from} again" { return hold("a") }
    if change.to == `${change.from} again` { return hold("b") }
    if change.to == "$ {" { return hold("c") }
});
"#,
        )],
        found: &["rules/case.rhai:2:21 not_filled_in"],
        ..CASE
    },
    Case {
        name: "forms and patterns that nothing can be read with",
        files: &[(
            "rules/case.rhai",
            r#"const FORM = "DD.MM.YYYY";
route(|change| {
    if change.from.matches("(unclosed") { return hold("a") }
    if matches(change.from, "x{9,1}") { return hold("b") }
    if change.from.capture("[z-a]") != () { return hold("c") }
    if change.to.matches("^[a-z]+$") { return hold("d") }
    if date(change.from, FORM) < today() { return hold("e") }
    if change.from.date("%d.%K") < change.to.date_or_empty("%d.%m.%Y") { return hold("f") }
});
"#,
        )],
        found: &[
            "rules/case.rhai:3:28 bad_pattern",
            "rules/case.rhai:4:29 bad_pattern",
            "rules/case.rhai:5:28 bad_pattern",
            "rules/case.rhai:7:26 bad_format",
            "rules/case.rhai:8:25 bad_format",
        ],
        ..CASE
    },
    Case {
        name: "conditions that are always the same",
        files: &[(
            "rules/case.rhai",
            r#"const STRICT = true;
owner("nickname", "mattermost", |person| true);
route(|change| {
    if STRICT { return hold("a") }
    if change.system == "gitlab" && change.system == "mattermost" { return hold("b") }
    if change.system != "gitlab" || change.system != "mattermost" { return hold("c") }
    if change.to == change.to { return hold("d") }
    if 1 > 2 { return hold("e") }
    if change.system == "gitlab" && !STRICT { return hold("f") }
});
"#,
        )],
        found: &[
            "rules/case.rhai:2:42 always_true",
            "rules/case.rhai:4:8 always_true",
            "rules/case.rhai:5:8 always_false",
            "rules/case.rhai:6:8 always_true",
            "rules/case.rhai:7:8 always_true",
            "rules/case.rhai:8:8 always_false",
            "rules/case.rhai:9:37 always_false",
        ],
        ..CASE
    },
    Case {
        name: "branches that are never taken and statements that never run",
        files: &[(
            "rules/case.rhai",
            r#"route(|change| {
    if change.attribute == "email" { hold("a") }
    else if change.attribute == "username" { hold("b") }
    else if change.attribute == "email" { hold("c") }
    else { return (); hold("d") }
});
"#,
        )],
        found: &["rules/case.rhai:4:13 repeated_condition", "rules/case.rhai:5:23 dead_code"],
        ..CASE
    },
    Case {
        name: "routes to systems that are unknown or hold nothing of it",
        files: &[(
            "rules/case.rhai",
            r#"refused("mattermost", |change, refusal| {
    if change.attribute == "nickname" { return to("gitlab") }
    if change.attribute == "email" && change.system == "gitlab" { return to("gitlap") }
});
"#,
        )],
        found: &["rules/case.rhai:2:51 not_held", "rules/case.rhai:3:77 unknown_system"],
        ..CASE
    },
    Case {
        name: "operations that are misspelt",
        config: SITE,
        files: &[(
            "rules/case.rhai",
            r#"source("site", |row| [
    perform("matermost", "post_message", #{ channel: "hr", text: "a" }),
    perform("mattermost", "post_mesage", #{ channel: "hr", text: "b" }),
    perform("mattermost", "post_message", #{ chanel: "hr", text: "c" }),
    perform("hr", "post_message", #{ channel: "hr", text: "d" }),
]);
"#,
        )],
        found: &[
            "rules/case.rhai:2:13 unknown_system",
            "rules/case.rhai:3:27 unknown_operation",
            "rules/case.rhai:4:27 missing_argument",
            "rules/case.rhai:4:46 unknown_argument",
            "rules/case.rhai:5:13 wrong_role",
        ],
        ..CASE
    },
    Case {
        name: "functions that do not exist or take something else",
        files: &[
            (
                "rules/case.rhai",
                r#"import "text" as text;
fn short(name, most) { name.sub_string(0, most) }
guard(|plan| {
    if plan.today.lowr() == "x" { return hold("a") }
    if short(plan.today) == "2026" { return hold("b") }
    if text::clen(plan.today) == "2026" { return hold("c") }
    if text::clean(plan.today) == "2026" { return hold("d") }
    if short(plan.today, 4) == "2026" { return hold("e") }
});
"#,
            ),
            ("rules/lib/text.rhai", "fn clean(name) { name.trim().lower() }\n"),
        ],
        found: &[
            "rules/case.rhai:4:19 unknown_function",
            "rules/case.rhai:5:8 wrong_arguments",
            "rules/case.rhai:6:14 unknown_function",
        ],
        ..CASE
    },
    Case {
        name: "words that are given too little or too much",
        files: &[(
            "rules/case.rhai",
            r#"route(|change| if change.attribute == "locale" { hold() });
route(|change| if change.attribute == "email" { drop() });
route(|change| if change.attribute == "username" { to("gitlab", "mattermost") });
refused("gitlab", |change, refusal| { let hold = "later"; if refusal.kind == "taken" { return hold(hold) } });
guard(|plan| {
    if plan.today.lower("de") == "x" { return hold("a") }
    if plan.today.slug("de") == "x" { return hold("b") }
    if plan.count() > 1 { return hold("c") }
    if plan.calls.drop(|one| one.system == "gitlab").len() > 1 { return hold("d") }
    if trim() == "x" { return hold("e", "f") }
    let of = #{ lower: |a, b, c| a };
    if of.lower(1, 2) == "x" { return hold("g") }
});
"#,
        )],
        found: &[
            "rules/case.rhai:1:50 wrong_arguments",
            "rules/case.rhai:2:49 wrong_arguments",
            "rules/case.rhai:3:52 wrong_arguments",
            "rules/case.rhai:6:19 wrong_arguments",
            "rules/case.rhai:8:13 wrong_arguments",
            "rules/case.rhai:10:8 wrong_arguments",
            "rules/case.rhai:10:31 wrong_arguments",
        ],
        ..CASE
    },
    Case {
        name: "what nothing uses",
        files: &[
            (
                "rules/case.rhai",
                r#"import "names" as names;
import "places" as places;
const MOST = 10;
const LEAST = 1;
fn helper(x) { deeper(x) }
fn deeper(x) { x }
fn used(x) { x != "" }
guard(|plan| if plan.count("gitlab") > MOST && used(plan.today) && names::ok(plan.today) { hold("many") });
"#,
            ),
            ("rules/lib/names.rhai", "const A = 1;\nfn ok(x) { x != \"\" }\nfn never(x) { x }\n"),
            ("rules/lib/places.rhai", "const B = 1;\n"),
            ("rules/lib/spare.rhai", "fn spare(x) { x }\n"),
        ],
        found: &[
            "rules/case.rhai:2:1 unused_import",
            "rules/case.rhai:4:7 unused_constant",
            "rules/case.rhai:5:4 unused_function",
            "rules/case.rhai:6:4 unused_function",
            "rules/lib/names.rhai:1:7 unused_constant",
            "rules/lib/names.rhai:3:4 unused_function",
            "rules/lib/places.rhai:1:7 unused_constant",
            "rules/lib/spare.rhai:1:1 unused_module",
        ],
        ..CASE
    },
    Case {
        name: "a source without key, with unknown names and wrong values",
        with_base: false,
        files: &[(
            "rules/case.rhai",
            r#"owner(["username", "email", "active"], "hr");
copies(["username", "email"], ["gitlab", "mattermost"]);
source("hr", |row| read(row));
fn read(row) {
    if row.status == "" { return #{ kee: row.id, username: row.username, email: row.email, active: true } }
    #{ key: row.id, usrname: row.username, email: row.email == "", active: row.status }
}
join("gitlab", ["email"]);
account("gitlab", |person| person.active);
"#,
        )],
        found: &[
            "rules/case.rhai:5:34 no_key",
            "rules/case.rhai:5:37 unknown_attribute",
            "rules/case.rhai:6:21 unknown_attribute",
            "rules/case.rhai:6:44 wrong_type",
            "rules/case.rhai:6:68 wrong_type",
        ],
        ..CASE
    },
    Case {
        name: "statements without effect",
        files: &[(
            "rules/case.rhai",
            r#"route(|change| {
    let name = change.person.username;
    name.trim();
    change.attribute.trim;
    change.attribute == "email";
    if change.attribute == "email" { hold("a"); }
    if name == "root" { hold("b") }
});
"#,
        )],
        found: &[
            "rules/case.rhai:3:5 no_effect",
            "rules/case.rhai:4:22 unknown_property",
            "rules/case.rhai:5:5 no_effect",
            "rules/case.rhai:6:38 no_effect",
        ],
        ..CASE
    },
    Case {
        name: "an assignment where a comparison is meant",
        files: &[("rules/case.rhai", "owner(\"nickname\", \"mattermost\", |person| person.active = true);\n")],
        found: &["rules/case.rhai:1:42 assigned"],
        ..CASE
    },
    Case {
        name: "an assignment as a condition",
        files: &[("rules/case.rhai", "route(|change| if change.attribute = \"email\" { hold(\"a\") });\n")],
        found: &["rules/case.rhai:1:36 parse"],
        ..CASE
    },
    Case {
        name: "conditions and routes that answer something else, or nothing",
        files: &[(
            "rules/case.rhai",
            r#"owner("nickname", "mattermost", |person| person.mattermost?.nickname);
route(|change| "hold");
route(|change| if change.attribute == "email" { () });
guard(|plan| if plan.count("gitlab") > 9 { drop("many") });
guard(|plan| if plan.count("gitlab") > 9 { to("gitlab") });
account("mattermost", |person| ());
"#,
        )],
        found: &[
            "rules/case.rhai:1:42 wrong_type",
            "rules/case.rhai:2:16 wrong_type",
            "rules/case.rhai:3:1 never_answers",
            "rules/case.rhai:4:1 never_answers",
            "rules/case.rhai:5:44 wrong_type",
            "rules/case.rhai:6:1 never_answers",
        ],
        ..CASE
    },
    Case {
        name: "lines that are never asked",
        files: &[(
            "rules/case.rhai",
            r#"owner("nickname", "mattermost", |person| person.gitlab?.username == "a");
owner("nickname", "mattermost", |person| person.gitlab?.username   == "a");
owner("email", "gitlab", |person| person.active == true);
route(|change| hold("everything"));
route(|change| if change.attribute == "email" { hold("addresses") });
refused("gitlab", |change, refusal| if refusal.kind == "taken" { drop("a") } else { hold("b") });
refused("mattermost", |change, refusal| hold("c"));
refused("gitlab", |change, refusal| hold("d"));
"#,
        )],
        found: &[
            "rules/case.rhai:2:1 unreachable_owner",
            "rules/case.rhai:3:1 unreachable_owner",
            "rules/case.rhai:5:1 unreachable_hook",
            "rules/case.rhai:8:1 unreachable_hook",
        ],
        ..CASE
    },
    Case {
        name: "owners and copies that cannot be",
        config: SITE,
        files: &[(
            "rules/case.rhai",
            r#"owner("locale", "gitlab");
owner("position", "site");
copies("position", ["gitlab", "mattermost"]);
owner("nickname", "mattermost");
copies("nickname", "mattermost");
copies("last_name", "mattermost");
source("site", |user| #{ key: user.id, phone: user.phone, locale: user.locale, nickname: user.nickname });
"#,
        )],
        found: &[
            "rules/case.rhai:1:1 cannot_write",
            "rules/case.rhai:2:1 owner_says_nothing",
            "rules/case.rhai:3:1 cannot_write",
            "rules/case.rhai:5:1 copy_to_owner",
            "rules/case.rhai:6:1 copy_without_owner",
            "rules/case.rhai:7:1 nobody_owns",
        ],
        ..CASE
    },
    Case {
        name: "two writers of one switch, and a join by what nobody says",
        with_base: false,
        files: &[(
            "rules/case.rhai",
            r#"owner("active", "gitlab");
owner("username", "hr");
copies("username", ["gitlab", "mattermost"]);
source("hr", |row| #{ key: row.id, username: row.username });
join("gitlab", ["email", "username"]);
account("gitlab", |person| person.username != ());
"#,
        )],
        found: &["rules/case.rhai:1:1 two_writers", "rules/case.rhai:5:1 join_never_said"],
        ..CASE
    },
    Case {
        name: "ranges and members",
        config: SITE,
        files: &[(
            "rules/case.rhai",
            r#"owner(["gitlab.groups", "mattermost.teams", "mattermost.channels"], "site");
range("gitlab.groups", ["platform", "data", "spare"]);
range("mattermost.channels", ["hr/town"]);
source("site", |user| if user.team == "x" {
    #{ key: user.id, "gitlab.groups": #{ "platfrm": "developer", "data": "develper" } }
} else {
    #{ key: user.id, "gitlab.groups": #{ "platform": "owner" }, "mattermost.teams": ["dev"] }
});
"#,
        )],
        found: &[
            "rules/case.rhai:1:1 owner_says_nothing",
            "rules/case.rhai:2:1 unused_member",
            "rules/case.rhai:3:1 unused_range",
            "rules/case.rhai:5:42 out_of_range",
            "rules/case.rhai:5:66 unknown_level",
            "rules/case.rhai:7:65 no_range",
        ],
        ..CASE
    },
    Case {
        name: "a source that undoes its owner, for ever",
        with_base: false,
        files: &[(
            "rules/case.rhai",
            r#"owner("username", "gitlab", |person| person.gitlab?.username != "root");
owner("username", "hr");
copies("username", ["gitlab", "mattermost"]);
source("hr", |row| #{ key: row.id, username: row.username });
join("gitlab", ["username"]);
"#,
        )],
        found: &["rules/case.rhai:4:1 would_revert"],
        ..CASE
    },
    Case {
        name: "sources without a meaning",
        config: "[systems.site]\nkind = \"csv\"\nkey = \"id\"\ncoverage = \"full\"\n",
        files: &[],
        found: &["homeward.toml:15:10 no_meaning"],
        ..CASE
    },
    Case {
        name: "an account that nobody looks for before it is made",
        config: "[systems.chat]\nkind = \"mattermost\"\nurl = \"https://c.example.com\"\ntoken = { env = \"T\" }\n",
        files: &[("rules/case.rhai", "account(\"chat\", |person| person.active == true);\n")],
        found: &["rules/case.rhai:1:1 account_unsought"],
        ..CASE
    },
    Case {
        name: "people's own tokens that are out of place",
        config: "[systems.chat]\nkind = \"mattermost\"\nurl = \"https://c.example.com\"\n\
                 token = { per_person = { file = \"t\", refresh = { url = \"https://c.example.com/t\", client_id = \"a\" } } }\n\
                 [systems.id]\nkind = \"zitadel\"\nurl = \"https://id.example.com\"\n\
                 token = { per_person = { file = \"t\" } }\n",
        files: &[("rules/case.rhai", "account(\"chat\", |person| true);\n")],
        found: &[
            "homeward.toml:18:48 rotation_lost",
            "homeward.toml:19:10 unheard_system",
            "homeward.toml:22:9 no_own_tokens",
            "rules/case.rhai:1:1 cannot_create",
            "rules/case.rhai:1:26 always_true",
        ],
        ..CASE
    },
    Case {
        name: "a list of everybody whose gaps nobody hears",
        config: "coverage = \"full\"\n",
        with_base: false,
        files: &[("rules/case.rhai", UNHEARD)],
        found: &["homeward.toml:15:12 absence_unheard"],
    },
    Case {
        name: "what cannot be loaded, and what is wrong inside of it all the same",
        files: &[(
            "rules/case.rhai",
            r#"owner("usrname", "gitlab", |person| person.gitlab?.usrname == "a");
copies("nickname", "gitlab");
route(|change| if change.attribute == "emial" { hold("a") });
owner("email", "gitlab");
"#,
        )],
        found: &[
            "rules/case.rhai:1:7 unknown_attribute",
            "rules/case.rhai:1:52 unknown_property",
            "rules/case.rhai:2:8 not_held",
            "rules/case.rhai:3:39 cannot_be",
            "rules/case.rhai:4:1 owned_twice",
        ],
        ..CASE
    },
    Case {
        name: "comments that silence, and those that do not",
        files: &[(
            "rules/case.rhai",
            r#"// homeward: allow(unused_constant) kept for the day the list grows
const SPARE = 1;
const OTHER = 2; // homeward: allow(unused_constant)
const THIRD = "// homeward: allow(unused_constant) not a comment";
// homeward: allow(unused_function) there is none
// homeward: allow(unused_functon) nor such a code
// homeward: allow(cannot_be) an error stays one
route(|change| if change.attribute == "emial" { hold("a") });
"#,
        )],
        found: &[
            "rules/case.rhai:2:7 unused_constant (kept for the day the list grows)",
            "rules/case.rhai:3:7 unused_constant",
            "rules/case.rhai:3:18 no_reason",
            "rules/case.rhai:4:7 unused_constant",
            "rules/case.rhai:5:1 silences_nothing",
            "rules/case.rhai:6:1 unknown_code",
            "rules/case.rhai:7:1 silences_nothing",
            "rules/case.rhai:8:39 cannot_be",
        ],
        ..CASE
    },
    Case {
        name: "places behind tabs, umlauts and emoji",
        files: &[(
            "rules/case.rhai",
            "route(|change| {\n\tlet sign = \"🙂 ü\"; if change.attribute == \"emial\" && change.from != sign { return hold(\"ä\") }\n});\n",
        )],
        found: &["rules/case.rhai:2:43 cannot_be"],
        ..CASE
    },
    Case {
        name: "texts that are said to be more or less than a number",
        with_base: false,
        files: &[(
            "rules/case.rhai",
            r#"owner(["username", "active"], "hr");
copies("username", ["gitlab", "mattermost"]);
source("hr", |row| #{ key: row.id, username: row.username, active: row.status <= 5 || 3 > row.id.lower() || row.id < "b" });
join("gitlab", ["username"]);
join("mattermost", ["username"]);
account("gitlab", |person| person.active);
"#,
        )],
        found: &["rules/case.rhai:3:82 cannot_be", "rules/case.rhai:3:87 cannot_be"],
        ..CASE
    },
    Case {
        name: "what only lines about changes look at",
        with_base: false,
        files: &[(
            "rules/case.rhai",
            r#"owner(["username", "active", "department"], "hr");
copies("username", ["gitlab", "mattermost"]);
source("hr", |row| #{ key: row.id, username: row.username, active: row.status == "Active", department: row.first_name });
join("gitlab", ["username"]);
join("mattermost", ["username"]);
account("gitlab", |person| person.active);
fn of_sales(change) { change.person.department == "Sales" }
route(|change| if of_sales(change) { hold("ask them") });
refused("mattermost", |change, refusal| if change.person.position == "Nurse" && refusal.kind == "taken" { drop("not now") });
"#,
        )],
        found: &["rules/case.rhai:9:1 never_known"],
        ..CASE
    },
];
