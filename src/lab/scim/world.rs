//! What the simulated server keeps, and what each request that changes something does to it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    fault::Fault,
    patch,
    schema::{Attribute, ENTERPRISE, Kind, Mutability, Shape},
    settings::Settings,
    validity,
};

/// When the server's clock began, in Unix time: 2026-01-01. Every change is a second later.
const EPOCH: i64 = 1_767_225_600;

/// One resource as it is kept.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: String,
    /// Its place in lists.
    pub(super) number: u64,
    pub(super) held: Map<String, Value>,
    created: u64,
    modified: u64,
    version: u64,
}

/// Everything the server keeps.
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) token: String,
    /// The address it is served at, without a slash at the end.
    pub(super) base: String,
    shapes: BTreeMap<Kind, Shape>,
    entries: BTreeMap<Kind, BTreeMap<String, Entry>>,
    /// Who has which login, in lower case unless letter case counts.
    logins: BTreeMap<String, String>,
    clock: u64,
    next: u64,
}

impl World {
    pub(super) fn new(settings: Settings, token: &str) -> Self {
        let mut world = Self {
            settings: Settings::default(),
            token: token.to_owned(),
            base: "http://127.0.0.1".to_owned(),
            shapes: BTreeMap::new(),
            entries: Kind::ALL.map(|kind| (kind, BTreeMap::new())).into(),
            logins: BTreeMap::new(),
            clock: 0,
            next: 1,
        };
        world.configure(settings);
        world
    }

    pub(super) fn configure(&mut self, settings: Settings) {
        self.shapes = Kind::ALL.map(|kind| (kind, Shape::of(kind, &settings))).into();
        self.settings = settings;
        let logins = self.of(Kind::User).map(|entry| (self.folded(entry), entry.id.clone())).collect();
        self.logins = logins;
    }

    pub(super) fn shape(&self, kind: Kind) -> &Shape {
        &self.shapes[&kind]
    }

    /// The resources of a kind, in the order they were made.
    pub(super) fn of(&self, kind: Kind) -> impl Iterator<Item = &Entry> {
        let mut all: Vec<&Entry> = self.entries[&kind].values().collect();
        all.sort_by_key(|entry| entry.number);
        all.into_iter()
    }

    pub(super) fn get(&self, kind: Kind, id: &str) -> Result<&Entry, Fault> {
        self.entries[&kind].get(id).ok_or_else(|| Fault::no_resource(id))
    }

    /// The user with this id or login.
    pub(super) fn named(&self, user: &str) -> Option<&Entry> {
        let users = &self.entries[&Kind::User];
        users.get(user).or_else(|| users.get(self.logins.get(&self.fold(user))?))
    }

    /// Makes a resource (RFC 7644 3.3).
    pub(super) fn create(&mut self, kind: Kind, sent: &Value) -> Result<String, Fault> {
        let held = validity::resource(self.shape(kind), sent)?;
        self.add(kind, None, held)
    }

    /// Adds what is known to be a resource, with this id where it has one.
    pub(super) fn add(&mut self, kind: Kind, id: Option<String>, held: Map<String, Value>) -> Result<String, Fault> {
        let number = self.next;
        let id = id.unwrap_or_else(|| {
            format!("{:08x}-5c1a-4b00-8000-{number:012x}", number.wrapping_mul(0x9e37_79b1) & 0xffff_ffff)
        });
        if self.entries.values().any(|all| all.contains_key(&id)) {
            return Err(Fault::taken("id"));
        }
        self.next += 1;
        self.clock += 1;
        let now = self.clock;
        self.put(kind, Entry { id: id.clone(), number, held, created: now, modified: now, version: 1 })?;
        Ok(id)
    }

    /// Puts another resource in the place of one (RFC 7644 3.5.1).
    pub(super) fn replace(&mut self, kind: Kind, id: &str, sent: &Value) -> Result<(), Fault> {
        let entry = self.get(kind, id)?.clone();
        let shape = self.shape(kind);
        let mut held = validity::resource(shape, sent)?;
        keep(&shape.core, &entry.held, &mut held)?;
        let within = |map: &Map<String, Value>| map.get(ENTERPRISE).and_then(Value::as_object).cloned();
        let mut inner = within(&held).unwrap_or_default();
        keep(&shape.extension, &within(&entry.held).unwrap_or_default(), &mut inner)?;
        held.shift_remove(ENTERPRISE);
        if !inner.is_empty() {
            held.insert(ENTERPRISE.to_owned(), inner.into());
        }
        self.change(kind, entry, held)
    }

    /// Changes parts of a resource (RFC 7644 3.5.2).
    pub(super) fn patch(&mut self, kind: Kind, id: &str, sent: &Value) -> Result<(), Fault> {
        let entry = self.get(kind, id)?.clone();
        let mut held = entry.held.clone();
        patch::apply(self.shape(kind), &mut held, sent)?;
        self.change(kind, entry, held)
    }

    pub(super) fn delete(&mut self, kind: Kind, id: &str) -> Result<(), Fault> {
        self.get(kind, id)?;
        self.entries.entry(kind).or_default().remove(id);
        self.logins.retain(|_, holder| holder != id);
        self.clock += 1;
        for group in self.entries.entry(Kind::Group).or_default().values_mut() {
            let Some(Value::Array(members)) = group.held.get_mut("members") else { continue };
            let before = members.len();
            members.retain(|member| member["value"] != id);
            if members.len() != before {
                (group.modified, group.version) = (self.clock, group.version + 1);
            }
        }
        Ok(())
    }

    /// Changes stored fields behind the interface's back; null takes one away, an object is merged into one.
    pub(super) fn meddle(&mut self, user: &str, fields: &Value) -> Result<(), String> {
        let entry = self.named(user).ok_or_else(|| format!("nobody is called `{user}`"))?.clone();
        let fields = fields.as_object().ok_or("an object is expected")?;
        let mut held = entry.held.clone();
        for (name, value) in fields {
            match (held.get_mut(name), value) {
                (_, Value::Null) => {
                    held.shift_remove(name);
                }
                (Some(Value::Object(parts)), Value::Object(new)) => {
                    parts.extend(new.iter().map(|(name, value)| (name.clone(), value.clone())));
                }
                _ => {
                    held.insert(name.clone(), value.clone());
                }
            }
        }
        self.change(Kind::User, entry, held).map_err(|fault| fault.detail)
    }

    fn change(&mut self, kind: Kind, entry: Entry, held: Map<String, Value>) -> Result<(), Fault> {
        validity::complete(self.shape(kind), &held)?;
        if entry.held == held {
            return Ok(());
        }
        self.clock += 1;
        self.put(kind, Entry { held, modified: self.clock, version: entry.version + 1, ..entry })
    }

    /// Keeps a resource, where it is whole and clashes with no other.
    fn put(&mut self, kind: Kind, mut entry: Entry) -> Result<(), Fault> {
        validity::complete(self.shape(kind), &entry.held)?;
        match kind {
            Kind::User => {
                let login = self.folded(&entry);
                if self.logins.get(&login).is_some_and(|holder| *holder != entry.id) {
                    return Err(Fault::taken("userName"));
                }
                if self.settings.unique_emails {
                    let mine = addresses(&entry.held);
                    let clash = self.of(Kind::User).filter(|other| other.id != entry.id);
                    if clash.flat_map(|other| addresses(&other.held)).any(|address| mine.contains(&address)) {
                        return Err(Fault::taken("emails.value"));
                    }
                }
                let before = self.entries[&kind].get(&entry.id).map(|before| self.folded(before));
                if let Some(before) = before.filter(|before| self.logins.get(before) == Some(&entry.id)) {
                    self.logins.remove(&before);
                }
                self.logins.insert(login, entry.id.clone());
            }
            Kind::Group => self.seat(&mut entry)?,
        }
        self.entries.entry(kind).or_default().insert(entry.id.clone(), entry);
        Ok(())
    }

    /// Every member of a group is somebody.
    fn seat(&self, group: &mut Entry) -> Result<(), Fault> {
        let Some(Value::Array(members)) = group.held.get_mut("members") else { return Ok(()) };
        for member in members {
            let id = member["value"].as_str().unwrap_or_default();
            let kind = Kind::ALL.into_iter().find(|kind| self.entries[kind].contains_key(id));
            let kind = kind.ok_or_else(|| Fault::bad("invalidValue", "A member is nobody that is known."))?;
            let display = member.get("display").cloned();
            *member = json!({ "value": id, "type": kind.name() });
            if let Some(display) = display {
                member["display"] = display;
            }
        }
        Ok(())
    }

    fn folded(&self, entry: &Entry) -> String {
        self.fold(entry.held.get("userName").and_then(Value::as_str).unwrap_or_default())
    }

    fn fold(&self, login: &str) -> String {
        let exact = self.settings.case_exact.iter().any(|path| path == "userName");
        if exact { login.to_owned() } else { login.to_lowercase() }
    }

    /// The version of a resource (RFC 7644 3.14).
    pub(super) fn etag(&self, entry: &Entry) -> Option<String> {
        self.settings.etag.then(|| format!("W/\"{}\"", entry.version))
    }

    pub(super) fn location(&self, kind: Kind, id: &str) -> String {
        format!("{}{}/{id}", self.base, kind.endpoint())
    }

    /// A resource as it is shown, everything that is not kept with it added.
    pub(super) fn show(&self, kind: Kind, entry: &Entry) -> Value {
        let mut shown = Map::new();
        let mut schemas = vec![kind.schema()];
        schemas.extend(kind.extension().filter(|urn| entry.held.contains_key(*urn)));
        shown.insert("schemas".to_owned(), json!(schemas));
        shown.insert("id".to_owned(), entry.id.as_str().into());
        shown.extend(entry.held.iter().map(|(name, value)| (name.clone(), value.clone())));
        shown.shift_remove("password");
        match kind {
            Kind::User => self.add_to_user(entry, &mut shown),
            Kind::Group => {
                for member in shown.get_mut("members").and_then(Value::as_array_mut).into_iter().flatten() {
                    let id = member["value"].as_str().unwrap_or_default().to_owned();
                    let kind = if member["type"] == "Group" { Kind::Group } else { Kind::User };
                    member["$ref"] = self.location(kind, &id).into();
                }
            }
        }
        let moment = |clock: u64| {
            let seconds = EPOCH + i64::try_from(clock).unwrap_or(0);
            jiff::Timestamp::from_second(seconds).map(|moment| moment.to_string()).unwrap_or_default()
        };
        let mut meta = json!({
            "resourceType": kind.name(),
            "created": moment(entry.created),
            "lastModified": moment(entry.modified),
            "location": self.location(kind, &entry.id),
        });
        if let Some(version) = self.etag(entry) {
            meta["version"] = version.into();
        }
        shown.insert("meta".to_owned(), meta);
        shown.into()
    }

    fn add_to_user(&self, entry: &Entry, shown: &mut Map<String, Value>) {
        let is_in = |group: &&Entry| {
            let members = group.held.get("members").and_then(Value::as_array);
            members.is_some_and(|members| members.iter().any(|member| member["value"] == entry.id.as_str()))
        };
        let groups: Vec<Value> = self
            .of(Kind::Group)
            .filter(is_in)
            .map(|group| {
                json!({ "value": group.id, "$ref": self.location(Kind::Group, &group.id),
                    "display": group.held.get("displayName"), "type": "direct" })
            })
            .collect();
        if !groups.is_empty() && self.settings.groups {
            shown.insert("groups".to_owned(), groups.into());
        }
        // What a manager is called is optional (RFC 7643 4.3), and this server does not tell it.
        let manager = shown.get_mut(ENTERPRISE).and_then(|inner| inner.get_mut("manager"));
        if let Some(Value::Object(manager)) = manager
            && let Some(id) = manager.get("value").and_then(Value::as_str).map(str::to_owned)
            && self.entries[&Kind::User].contains_key(&id)
        {
            manager.insert("$ref".to_owned(), self.location(Kind::User, &id).into());
        }
    }

    /// Everything, secrets and what depends on the address left out.
    pub(super) fn dump(&self) -> Value {
        let all = |kind: Kind| -> Value {
            let shown = |(id, entry): (&String, &Entry)| {
                let mut held = entry.held.clone();
                held.shift_remove("password");
                held.insert("id".to_owned(), id.as_str().into());
                held.insert("version".to_owned(), entry.version.into());
                (id.clone(), Value::Object(held))
            };
            Value::Object(self.entries[&kind].iter().map(shown).collect())
        };
        json!({ "settings": self.settings, "users": all(Kind::User), "groups": all(Kind::Group) })
    }
}

/// What somebody is called in lists of others.
pub(super) fn display(kind: Kind, held: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| held.get(name).and_then(Value::as_str);
    let name = text("displayName").or_else(|| text("userName").filter(|_| kind == Kind::User));
    name.map(str::to_owned)
}

fn addresses(held: &Map<String, Value>) -> Vec<String> {
    let all = held.get("emails").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|email| Some(email.get("value")?.as_str()?.to_lowercase())).collect()
}

/// What a PUT leaves as it was: what is read-only, and secrets that were not sent again. What is immutable must not
/// differ.
fn keep(list: &[Attribute], before: &Map<String, Value>, after: &mut Map<String, Value>) -> Result<(), Fault> {
    for attribute in list {
        let Some(held) = before.get(attribute.name) else { continue };
        let sent = after.get(attribute.name);
        match attribute.mutability {
            Mutability::ReadOnly => {
                after.insert(attribute.name.to_owned(), held.clone());
            }
            Mutability::WriteOnly if sent.is_none() => {
                after.insert(attribute.name.to_owned(), held.clone());
            }
            Mutability::Immutable if sent != Some(held) => {
                return Err(Fault::bad("mutability", format!("{} never changes once it is set.", attribute.name)));
            }
            _ if !attribute.many => {
                let (Value::Object(held), mut parts) = (held, sent.cloned().unwrap_or_else(|| Map::new().into()))
                else {
                    continue;
                };
                if let Value::Object(parts) = &mut parts {
                    keep(&attribute.subs, held, parts)?;
                    if !parts.is_empty() {
                        after.insert(attribute.name.to_owned(), parts.clone().into());
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}
