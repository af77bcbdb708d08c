//! The people, their list and the project that is made of them.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
};

/// The day that rules see.
pub(crate) const TODAY: &str = "2026-11-20";

/// As long as tokens are: whatever providers show is searched for it.
pub(crate) const TOKEN: &str = "bench-9rT4xkQ2mVw7LpZs8dYn";

const FIRST: [&str; 16] = [
    "Anna",
    "Bruno",
    "Chloé",
    "Dilek",
    "Emil",
    "Fatima",
    "Gustav",
    "Hélène",
    "Igor",
    "Jürgen",
    "Katarzyna",
    "Liam",
    "Mara",
    "Noël",
    "Olga",
    "Pedro",
];
const LAST: [&str; 16] = [
    "Albrecht", "Bauer", "Çelik", "Dubois", "Eriksen", "Fischer", "García", "Hoffmann", "Ivanova", "Jansen",
    "Kowalska", "Lefèvre", "Müller", "Novák", "Okafor", "Petit",
];
const TITLES: [&str; 5] = ["Engineer", "Account Manager", "Nurse", "Head of Operations", "Electrician"];
const DEPARTMENTS: [&str; 5] = ["Development", "Sales", "Care", "", "Facilities"];
const LOCATIONS: [&str; 4] = ["Berlin", "Remote", "", "Lyon"];

/// Somebody.
pub(crate) struct Person {
    pub(crate) number: u64,
    /// Her post was changed after so many nights.
    pub(crate) moved: u64,
}

impl Person {
    fn of<const N: usize>(&self, all: &[&'static str; N], step: u64) -> &'static str {
        all[usize::try_from(self.number / step).unwrap_or_default() % N]
    }

    pub(crate) fn key(&self) -> String {
        format!("E{:07}", self.number)
    }

    pub(crate) fn first(&self) -> &'static str {
        self.of(&FIRST, 1)
    }

    pub(crate) fn last(&self) -> &'static str {
        self.of(&LAST, 16)
    }

    pub(crate) fn username(&self) -> String {
        format!("user{:07}", self.number)
    }

    pub(crate) fn email(&self) -> String {
        format!("user{:07}@example.org", self.number)
    }

    fn title(&self) -> String {
        let title = self.of(&TITLES, 3);
        if self.moved == 0 { title.to_owned() } else { format!("Senior {title}") }
    }

    pub(crate) fn department(&self) -> &'static str {
        match self.of(&DEPARTMENTS, 7) {
            "" => "Unassigned",
            other => other,
        }
    }

    pub(crate) fn position(&self) -> String {
        match self.of(&LOCATIONS, 5) {
            "" | "Remote" => self.title(),
            location => format!("{} ({location})", self.title()),
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.number % 50 != 3
    }

    /// Her row, with the spaces and capitals that rows have.
    fn row(&self, text: &mut String) {
        let status = if self.is_active() { "Active" } else { "Terminated" };
        let ended = if self.is_active() { "" } else { "2024-06-30" };
        text.clear();
        let _ = writeln!(
            text,
            "{},{} ,{},User{:07}@Example.org,User{:07},\"{}\",{},{},E{:07},20{:02}-03-01,{ended},{status},+49 30 {},{}",
            self.key(),
            self.first(),
            self.last(),
            self.number,
            self.number,
            self.title(),
            self.of(&DEPARTMENTS, 7),
            self.of(&LOCATIONS, 5),
            self.number / 10,
            10 + self.number % 15,
            1_000_000 + self.number,
            if self.number.is_multiple_of(3) { "de-DE" } else { "fr-FR" },
        );
    }
}

const HEADER: &str = "employee_id,first_name,last_name,email,username,job_title,department,location,manager_id,\
                      hire_date,termination_date,status,phone,locale";

/// The function that makes a statement of a row.
pub(crate) fn rule() -> String {
    r#"|row| {
    let first = row.first_name.trim();
    let last = row.last_name.trim();
    let department = row.department.trim();
    if department == "" {
        department = "Unassigned";
    }
    let position = row.job_title.trim();
    if row.location != "" && row.location != "Remote" {
        position = position + " (" + row.location.trim() + ")";
    }
    let has_begun = row.hire_date == "" || row.hire_date <= "2026-11-20";
    let has_left = row.termination_date != "" && row.termination_date <= "2026-11-20";
    #{
        key: row.employee_id,
        username: row.username.lower(),
        email: row.email.lower(),
        first_name: first,
        last_name: last,
        display_name: first + " " + last,
        department: department,
        position: position,
        active: row.status == "Active" && has_begun && !has_left,
    }
}"#
    .to_owned()
}

/// The same in Python, over the same file, with the same sum over what comes of it.
pub(crate) const PEER: &str = r#"import csv, sys, zlib

def lower(text):
    return text.lower()

def record(row, at):
    first = row[at["first_name"]].strip()
    last = row[at["last_name"]].strip()
    department = row[at["department"]].strip()
    if department == "":
        department = "Unassigned"
    position = row[at["job_title"]].strip()
    location = row[at["location"]]
    if location != "" and location != "Remote":
        position = position + " (" + location.strip() + ")"
    hired, ended = row[at["hire_date"]], row[at["termination_date"]]
    has_begun = hired == "" or hired <= "2026-11-20"
    has_left = ended != "" and ended <= "2026-11-20"
    return {
        "active": row[at["status"]] == "Active" and has_begun and not has_left,
        "department": department,
        "display_name": first + " " + last,
        "email": lower(row[at["email"]]),
        "first_name": first,
        "last_name": last,
        "position": position,
        "username": lower(row[at["username"]]),
        "key": row[at["employee_id"]],
    }

total = 0
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    rows = csv.reader(file)
    at = {name: place for place, name in enumerate(next(rows))}
    for row in rows:
        said = record(row, at)
        text = "|".join([said["key"], "true" if said["active"] else "false", said["department"], said["display_name"],
                         said["email"], said["first_name"], said["last_name"], said["position"], said["username"]])
        total += zlib.adler32(text.encode("utf-8"))
print(total)
"#;

/// In which order people stand in a list.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Forwards,
    Backwards,
}

/// What providers hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// What the list says.
    Same,
    /// One in a hundred has another post at each.
    Differing,
    /// As where it differs, and everybody signs in to Mattermost through GitLab, which owns the names and addresses of
    /// whoever does.
    Through,
}

/// A project in a folder of its own, which ends with the value.
pub(crate) struct Project {
    _kept: tempfile::TempDir,
    pub(crate) folder: PathBuf,
    people: u64,
}

impl Project {
    pub(crate) fn new(people: u64, held: Held) -> Self {
        let kept = tempfile::tempdir().unwrap();
        let project = Self { folder: kept.path().to_owned(), _kept: kept, people };
        // What is so everywhere may be believed to be so for a while.
        let recheck = if held == Held::Same { "recheck = \"7d\"\n" } else { "" };
        let mut settings = format!(
            "[systems.hr]\nkind = \"csv\"\nkey = \"employee_id\"\ncoverage = \"full\"\nsays = \"state\"\n{recheck}",
        );
        let differs = held != Held::Same;
        for (system, kind) in crate::listing::SYSTEMS {
            let through = held == Held::Through && system == "mattermost";
            let _ = write!(
                settings,
                "\n[systems.{system}]\nkind = \"{kind}\"\nurl = \"https://{system}.example.org\"\n\
                 token = {{ env = \"TOKEN\" }}\npeople = {people}\ndiffers = {differs}\n\
                 through = {through}\n"
            );
        }
        project.write("homeward.toml", &settings);
        std::fs::create_dir(project.path("rules")).unwrap();
        let attributes =
            r#"["username", "email", "first_name", "last_name", "display_name", "department", "position", "active"]"#;
        let copied = r#"["username", "email", "first_name", "last_name", "display_name", "department", "position"]"#;
        let through =
            r#"owner(["username", "email"], "gitlab", |person| person.mattermost?.auth_service == "gitlab");"#;
        let through = if held == Held::Through { through } else { "" };
        let rules = format!(
            "{through}owner({attributes}, \"hr\");\n\
             for attribute in {copied} {{ copies(attribute, [\"gitlab\", \"mattermost\", \"zitadel\"]); }}\n\
             for system in [\"gitlab\", \"mattermost\", \"zitadel\"] {{\n    join(system, [\"email\", \"username\"]);\n    \
             account(system, |person| person.active);\n}}\n\nsource(\"hr\", {});\n",
            rule()
        );
        project.write("rules/people.rhai", &rules);
        project.list("people.csv", Order::Forwards, 0);
        project
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A list of everybody, in which `moved` of a hundred have another post than before.
    pub(crate) fn list(&self, name: &str, order: Order, moved: u64) {
        let mut file = BufWriter::new(File::create(self.path(name)).unwrap());
        writeln!(file, "{HEADER}").unwrap();
        let mut text = String::new();
        for at in 0..self.people {
            let number = if order == Order::Backwards { self.people - 1 - at } else { at };
            let person = Person { number, moved: u64::from(number % 100 < moved) };
            person.row(&mut text);
            file.write_all(text.as_bytes()).unwrap();
        }
        file.flush().unwrap();
    }
}
