//! What a resource may hold: the schemas of RFC 7643 sections 4 and 8.7 as data, and where a path of theirs leads.
//!
//! A seed's settings may make an attribute less than the RFC has it: read-only, immutable, write-only, required, or
//! absent. Names and URNs are compared without their letter case (RFC 7643 2.1); what is kept is written as here.

use serde_json::{Map, Value, json};

use super::settings::Settings;

pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(super) const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
pub(super) const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
pub(super) const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Truth,
    Moment,
    /// An address, of these things.
    Reference(&'static [&'static str]),
    Binary,
    Complex,
}

/// Who may change it (RFC 7643 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutability {
    ReadWrite,
    ReadOnly,
    Immutable,
    WriteOnly,
}

/// When it is shown (RFC 7643 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Returned {
    Always,
    Default,
    Never,
}

/// One attribute of a schema.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a schema says them one by one (RFC 7643 7)")]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) many: bool,
    pub(super) required: bool,
    pub(super) case_exact: bool,
    pub(super) unique: bool,
    pub(super) mutability: Mutability,
    pub(super) returned: Returned,
    pub(super) canonical: &'static [&'static str],
    pub(super) subs: Vec<Attribute>,
}

impl Attribute {
    fn text(name: &'static str) -> Self {
        Self {
            name,
            form: Form::Text,
            many: false,
            required: false,
            case_exact: false,
            unique: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            canonical: &[],
            subs: Vec::new(),
        }
    }

    fn complex(name: &'static str, subs: Vec<Self>) -> Self {
        Self { form: Form::Complex, subs, ..Self::text(name) }
    }

    fn exact(name: &'static str) -> Self {
        Self { case_exact: true, ..Self::text(name) }
    }

    fn reference(name: &'static str, to: &'static [&'static str]) -> Self {
        Self { form: Form::Reference(to), case_exact: true, ..Self::text(name) }
    }

    /// A list of values with a type, a label and a first among them (RFC 7643 2.4).
    fn plural(name: &'static str, canonical: &'static [&'static str]) -> Self {
        let value = match name {
            "photos" => Self::reference("value", &["external"]),
            "x509Certificates" => Self { form: Form::Binary, case_exact: true, ..Self::text("value") },
            _ => Self::text("value"),
        };
        let kind = Self { canonical, ..Self::text("type") };
        let primary = Self { form: Form::Truth, ..Self::text("primary") };
        Self { many: true, ..Self::complex(name, vec![value, Self::text("display"), kind, primary]) }
    }

    fn read_only(self) -> Self {
        let subs = self.subs.into_iter().map(Self::read_only).collect();
        Self { mutability: Mutability::ReadOnly, subs, ..self }
    }

    /// The part of a complex attribute with this name.
    pub(super) fn sub(&self, name: &str) -> Option<&Self> {
        self.subs.iter().find(|sub| sub.name.eq_ignore_ascii_case(name))
    }

    fn shown(&self) -> Value {
        let kind = match self.form {
            Form::Text => "string",
            Form::Truth => "boolean",
            Form::Moment => "dateTime",
            Form::Reference(_) => "reference",
            Form::Binary => "binary",
            Form::Complex => "complex",
        };
        let mut all = json!({
            "name": self.name,
            "type": kind,
            "multiValued": self.many,
            "description": format!("The {} of the resource.", self.name),
            "required": self.required,
            "caseExact": self.case_exact,
            "mutability": match self.mutability {
                Mutability::ReadWrite => "readWrite",
                Mutability::ReadOnly => "readOnly",
                Mutability::Immutable => "immutable",
                Mutability::WriteOnly => "writeOnly",
            },
            "returned": match self.returned {
                Returned::Always => "always",
                Returned::Default => "default",
                Returned::Never => "never",
            },
            "uniqueness": if self.unique { "server" } else { "none" },
        });
        if !self.canonical.is_empty() {
            all["canonicalValues"] = json!(self.canonical);
        }
        if let Form::Reference(to) = self.form {
            all["referenceTypes"] = json!(to);
        }
        if !self.subs.is_empty() {
            all["subAttributes"] = self.subs.iter().map(Self::shown).collect();
        }
        all
    }
}

/// What kind of thing a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    User,
    Group,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::User, Self::Group];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    pub(super) fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    pub(super) fn schema(self) -> &'static str {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    /// The extensions a resource of this kind may have.
    pub(super) fn extension(self) -> Option<&'static str> {
        (self == Self::User).then_some(ENTERPRISE)
    }

    /// As a resource type (RFC 7643 6).
    pub(super) fn shown(self, base: &str) -> Value {
        let extensions: Vec<Value> =
            self.extension().map(|schema| json!({ "schema": schema, "required": false })).into_iter().collect();
        json!({
            "schemas": [RESOURCE_TYPE],
            "id": self.name(),
            "name": self.name(),
            "endpoint": self.endpoint(),
            "description": format!("{}s of the lab", self.name()),
            "schema": self.schema(),
            "schemaExtensions": extensions,
            "meta": { "location": format!("{base}/ResourceTypes/{}", self.name()), "resourceType": "ResourceType" },
        })
    }
}

/// Everything a resource of one kind may hold.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// What every resource has (RFC 7643 3.1); no schema lists it.
    common: Vec<Attribute>,
    pub(super) core: Vec<Attribute>,
    pub(super) extension: Vec<Attribute>,
}

/// Where a path leads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// True for an attribute of the extension.
    pub(super) extended: bool,
    /// `None`: the whole extension.
    pub(super) attribute: Option<&'a Attribute>,
    pub(super) sub: Option<&'a Attribute>,
}

impl Place<'_> {
    /// Who may change what the path leads to: whatever is stricter of the whole and its part.
    pub(super) fn mutability(&self) -> Mutability {
        let of = |attribute: Option<&Attribute>| attribute.map_or(Mutability::ReadWrite, |it| it.mutability);
        match of(self.attribute) {
            Mutability::ReadWrite => of(self.sub),
            strict => strict,
        }
    }

    pub(super) fn required(&self) -> bool {
        match self.sub {
            Some(sub) => sub.required,
            None => self.attribute.is_some_and(|attribute| attribute.required),
        }
    }
}

impl Shape {
    pub(super) fn of(kind: Kind, settings: &Settings) -> Self {
        let (core, extension) = match kind {
            Kind::User => (user(), enterprise()),
            Kind::Group => (group(), Vec::new()),
        };
        let mut shape = Self { kind, common: common(), core, extension };
        if kind == Kind::User {
            for list in [&mut shape.core, &mut shape.extension] {
                adapt(list, "", settings);
            }
        }
        shape
    }

    /// Where `urn:…:User:name.familyName`, `emails` or `meta.version` leads; `None` where nothing of the kind is known.
    pub(super) fn place(&self, path: &str) -> Option<Place<'_>> {
        let (list, extended, rest) = match strip(path, self.kind.extension().unwrap_or("-")) {
            Some("") => return Some(Place { extended: true, attribute: None, sub: None }),
            Some(rest) => (&self.extension, true, rest),
            None => (&self.core, false, strip(path, self.kind.schema()).unwrap_or(path)),
        };
        let (name, sub) = rest.split_once('.').map_or((rest, None), |(name, sub)| (name, Some(sub)));
        let known = |attribute: &&Attribute| attribute.name.eq_ignore_ascii_case(name);
        let attribute = list.iter().chain(self.common.iter().filter(|_| !extended)).find(known)?;
        let sub = match sub {
            Some(sub) => Some(attribute.sub(sub)?),
            None => None,
        };
        Some(Place { extended, attribute: Some(attribute), sub })
    }

    /// The attribute of the core or the extension with this name.
    pub(super) fn attribute(&self, extended: bool, name: &str) -> Option<&Attribute> {
        let list = if extended { &self.extension } else { &self.core };
        let common = self.common.iter().filter(|it| !extended && it.name == "externalId");
        list.iter().chain(common).find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// The schemas of this kind as `/Schemas` shows them.
    pub(super) fn schemas(&self, base: &str) -> Vec<Value> {
        let shown = |id: &str, name: &str, list: &[Attribute]| {
            json!({
                "schemas": [SCHEMA],
                "id": id,
                "name": name,
                "description": format!("{name} of the lab"),
                "attributes": list.iter().map(Attribute::shown).collect::<Vec<_>>(),
                "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{id}") },
            })
        };
        let mut all = vec![shown(self.kind.schema(), self.kind.name(), &self.core)];
        all.extend(self.kind.extension().map(|id| shown(id, "EnterpriseUser", &self.extension)));
        all
    }
}

/// What follows a URN in a path, without the colon between them; `None` where the path begins otherwise.
pub(super) fn strip<'a>(path: &'a str, urn: &str) -> Option<&'a str> {
    let begins = path.get(..urn.len()).is_some_and(|start| start.eq_ignore_ascii_case(urn));
    let rest = path.get(urn.len()..).filter(|_| begins)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(':') }
}

/// Makes attributes what the settings say; they name them as `title` or `name.familyName`.
fn adapt(list: &mut Vec<Attribute>, before: &str, settings: &Settings) {
    let path = |attribute: &Attribute| format!("{before}{}", attribute.name);
    list.retain(|attribute| !settings.absent.contains(&path(attribute)));
    for attribute in list {
        let path = path(attribute);
        if settings.read_only.contains(&path) {
            attribute.mutability = Mutability::ReadOnly;
        } else if settings.immutable.contains(&path) {
            attribute.mutability = Mutability::Immutable;
        } else if settings.write_only.contains(&path) {
            (attribute.mutability, attribute.returned) = (Mutability::WriteOnly, Returned::Never);
        }
        attribute.required |= settings.required.contains(&path);
        attribute.case_exact |= settings.case_exact.contains(&path);
        attribute.unique |= settings.unique_emails && path == "emails.value";
        adapt(&mut attribute.subs, &format!("{path}."), settings);
    }
}

fn common() -> Vec<Attribute> {
    let text = Attribute::text;
    let exact = Attribute::exact;
    let moment = |name| Attribute { form: Form::Moment, ..text(name) };
    let meta = vec![
        exact("resourceType"),
        moment("created"),
        moment("lastModified"),
        Attribute::reference("location", &["uri"]),
        exact("version"),
    ];
    vec![
        Attribute { many: true, returned: Returned::Always, ..Attribute::reference("schemas", &["uri"]) },
        Attribute { mutability: Mutability::ReadOnly, returned: Returned::Always, unique: true, ..exact("id") },
        exact("externalId"),
        Attribute::complex("meta", meta).read_only(),
    ]
}

fn user() -> Vec<Attribute> {
    let text = Attribute::text;
    let name = ["formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix"];
    let mut address = vec![];
    address.extend(["formatted", "streetAddress", "locality", "region", "postalCode", "country"].map(text));
    address.push(Attribute { canonical: &["work", "home", "other"], ..text("type") });
    address.push(Attribute { form: Form::Truth, ..text("primary") });
    let groups = vec![
        Attribute::exact("value"),
        Attribute::reference("$ref", &["Group"]),
        text("display"),
        Attribute { canonical: &["direct", "indirect"], ..text("type") },
    ];
    vec![
        Attribute { required: true, unique: true, ..text("userName") },
        Attribute::complex("name", name.map(text).into()),
        text("displayName"),
        text("nickName"),
        Attribute::reference("profileUrl", &["external"]),
        text("title"),
        text("userType"),
        text("preferredLanguage"),
        text("locale"),
        text("timezone"),
        Attribute { form: Form::Truth, ..text("active") },
        Attribute { mutability: Mutability::WriteOnly, returned: Returned::Never, ..Attribute::exact("password") },
        Attribute::plural("emails", &["work", "home", "other"]),
        Attribute::plural("phoneNumbers", &["work", "home", "mobile", "fax", "pager", "other"]),
        Attribute::plural("ims", &["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
        Attribute::plural("photos", &["photo", "thumbnail"]),
        Attribute { many: true, ..Attribute::complex("addresses", address) },
        Attribute { many: true, ..Attribute::complex("groups", groups) }.read_only(),
        Attribute::plural("entitlements", &[]),
        Attribute::plural("roles", &[]),
        Attribute::plural("x509Certificates", &[]),
    ]
}

fn enterprise() -> Vec<Attribute> {
    let text = Attribute::text;
    let manager = vec![
        Attribute::exact("value"),
        Attribute::reference("$ref", &["User"]),
        Attribute { mutability: Mutability::ReadOnly, ..text("displayName") },
    ];
    let mut all: Vec<Attribute> =
        ["employeeNumber", "costCenter", "organization", "division", "department"].map(text).into();
    all.push(Attribute::complex("manager", manager));
    all
}

fn group() -> Vec<Attribute> {
    let immutable = |attribute: Attribute| Attribute { mutability: Mutability::Immutable, ..attribute };
    let members = vec![
        immutable(Attribute::exact("value")),
        immutable(Attribute::reference("$ref", &["User", "Group"])),
        immutable(Attribute::text("display")),
        immutable(Attribute { canonical: &["User", "Group"], ..Attribute::text("type") }),
    ];
    vec![
        Attribute { required: true, ..Attribute::text("displayName") },
        Attribute { many: true, ..Attribute::complex("members", members) },
    ]
}

/// A value of an object by a name in any letter case.
pub(super) fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}
