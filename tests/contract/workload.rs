//! The work that the checks look at: a project whose rules send every attribute of a row to one provider.

use std::{fmt::Write, path::Path};

use serde_json::{Value, json};

use crate::{
    common::{Ran, World},
    prism::{Description, Prism},
    recorder::Recorder,
};

/// What HR says of one person: an id, and what stands in which column. `-` empties.
pub(crate) type Row = (&'static str, &'static [(&'static str, &'static str)]);

/// People whom no provider knows, enough of them that looking each up is more work than reading everybody.
pub(crate) const NEWCOMERS: &[Row] = &[
    ("91", &[("username", "n1"), ("email", "n1@example.com"), ("display_name", "N 1"), ("active", "yes")]),
    ("92", &[("username", "n2"), ("email", "n2@example.com"), ("display_name", "N 2"), ("active", "yes")]),
    ("93", &[("username", "n3"), ("email", "n3@example.com"), ("display_name", "N 3"), ("active", "yes")]),
    ("94", &[("username", "n4"), ("email", "n4@example.com"), ("display_name", "N 4"), ("active", "yes")]),
    ("95", &[("username", "n5"), ("email", "n5@example.com"), ("display_name", "N 5"), ("active", "yes")]),
    ("96", &[("username", "n6"), ("email", "n6@example.com"), ("display_name", "N 6"), ("active", "yes")]),
];

/// A project with one provider behind a recorder, and HR files to feed it with.
pub(crate) struct Work {
    pub(crate) world: World,
    pub(crate) recorder: Recorder,
    kind: &'static str,
    columns: &'static [&'static str],
    _prism: Option<Prism>,
}

impl Work {
    /// Starts the lab of this provider with this seed and so many invented people. `columns` are the attributes HR
    /// knows. `checked` is Prism, the description to check with, and the part of an address that the description leaves out.
    pub(crate) fn new(
        kind: &'static str,
        seed: &Value,
        people: usize,
        columns: &'static [&'static str],
        checked: Option<(&Path, &Description, &'static str)>,
    ) -> Self {
        let config = |url: &str| {
            format!(
                "[systems.hr]\nkind = \"csv\"\nkey = \"id\"\n\n[systems.{kind}]\nkind = \"{kind}\"\nurl = \"{url}\"\n\
                 token = {{ env = \"TOKEN\" }}\n"
            )
        };
        let mut world = World::new()
            .file("homeward.toml", &config("https://provider.example.com"))
            .file("rules/all.rhai", &rules(kind, columns))
            .file(&format!("lab/{kind}.json"), &seed.to_string());
        world.start_lab(&["--people", &people.to_string()]);
        let lab = world.url(kind);
        let prism = checked.map(|(program, description, prefix)| {
            (Prism::before(program, &description.file, &format!("{lab}{prefix}")), prefix)
        });
        let recorder = match &prism {
            Some((prism, prefix)) => Recorder::before(&prism.url, prefix),
            None => Recorder::before(&lab, ""),
        };
        let token = world.token(kind);
        let world = world.file("homeward.toml", &config(&recorder.url)).variable("TOKEN", &token);
        Self { world, recorder, kind, columns, _prism: prism.map(|(prism, _)| prism) }
    }

    /// Writes what HR says, as far as it has a column for it.
    pub(crate) fn hr(&self, rows: &[Row]) {
        let mut text = format!("id,{}\n", self.columns.join(","));
        for (id, cells) in rows {
            text.push_str(id);
            for column in self.columns {
                let cell = cells.iter().find(|(name, _)| name == column).map_or("", |(_, cell)| cell);
                write!(text, ",\"{cell}\"").unwrap();
            }
            text.push('\n');
        }
        self.world.write("people.csv", text.as_bytes());
    }

    /// Has the program do what HR says, and expects this exit code.
    pub(crate) fn apply(&self, status: i32, rows: &[Row]) {
        self.hr(rows);
        expect(status, &self.world.homeward(&["apply", "--yes", "hr=people.csv"]));
    }

    /// Has the program plan what HR says, lets something happen meanwhile, and has the plan applied.
    pub(crate) fn overtaken(&self, status: i32, rows: &[Row], meanwhile: impl FnOnce(&Self)) {
        self.hr(rows);
        expect(0, &self.world.homeward(&["plan", "hr=people.csv", "--out", "plan.json"]));
        meanwhile(self);
        expect(status, &self.world.homeward(&["apply", "--yes", "plan.json"]));
    }

    /// Changes a user behind the interface's back.
    pub(crate) fn meddle(&self, user: &str, fields: &Value) {
        self.world.lab(self.kind, "POST", &format!("meddle/{user}"), fields);
    }

    /// Asks who we are, with this token or with ours, and reads what HR said last.
    pub(crate) fn look_around(&self, token: Option<&str>) {
        for arguments in [["check", "--connect"], ["plan", "hr=people.csv"]] {
            let mut command = self.world.command();
            command.args(arguments).envs(token.map(|token| ("TOKEN", token)));
            command.output().unwrap();
        }
    }

    /// Asks the provider something past the program, on the recorded way.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) {
        let token = self.world.token(self.kind);
        let bearer = format!("Bearer {token}");
        // Discourse's description wants to see both of its headers.
        let headers = match self.kind {
            "discourse" => vec![("Api-Key", token.as_str()), ("Api-Username", "homeward")],
            _ => vec![("Authorization", bearer.as_str())],
        };
        crate::common::send(method, &format!("{}{path}", self.recorder.url), &headers, body);
    }
}

/// Prints what a run said, for whoever reads a failure, and holds its exit code against the expected one.
fn expect(status: i32, ran: &Ran) {
    assert_eq!(ran.status, status, "\n{}\n{}", ran.stdout, ran.stderr);
}

/// HR owns everything; a cell says its attribute, an empty one nothing, a dash that it is empty.
fn rules(kind: &str, columns: &[&str]) -> String {
    let attribute = |column: &&str| match column.split_once("__") {
        Some((system, name)) => format!("{system}.{name}"),
        None => (*column).to_owned(),
    };
    let attributes: Vec<String> = columns.iter().map(attribute).collect();
    let mut text = format!(
        "fn value(cell) {{ if cell == \"-\" {{ clear() }} else {{ cell }} }}\n\
         owner({attributes}, \"hr\");\ncopies({attributes}, \"{kind}\");\n\
         join(\"{kind}\", [\"email\", \"username\"]);\naccount(\"{kind}\", |person| person.active);\n\
         source(\"hr\", |row| #{{\n    key: row.id,\n",
        attributes = json!(attributes)
    );
    for column in columns {
        let name = attribute(column);
        if *column == "active" {
            writeln!(text, "    \"{name}\": if row.active == \"\" {{ () }} else {{ row.active == \"yes\" }},").unwrap();
        } else {
            writeln!(text, "    \"{name}\": value(row.{column}),").unwrap();
        }
    }
    text + "});\n"
}
