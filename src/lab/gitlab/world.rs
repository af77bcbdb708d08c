//! Everything this GitLab knows, and the indexes that keep it quick with 100,000 users.
//!
//! Users and groups share one namespace of names. Nothing here knows HTTP or who is asking; whatever changes a user
//! goes through [`World::put`], so that no index can be forgotten.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    seed::{self, SeedGroup, SeedToken, Settings, TokenKind},
    user::{Address, EPOCH, Identity, Stamp, State, User},
};

/// The administrator who is always there.
pub(super) const ROOT: u64 = 1;

/// The highest level in a group.
pub(super) const OWNER: u64 = 50;

pub(super) struct World {
    pub(super) settings: Settings,
    users: BTreeMap<u64, User>,
    groups: BTreeMap<u64, Group>,
    tokens: BTreeMap<String, Token>,
    names: BTreeMap<String, Holder>,
    /// Names people moved away from, and whose they were.
    redirects: BTreeMap<String, u64>,
    addresses: BTreeMap<String, u64>,
    identities: BTreeMap<Identity, u64>,
    /// How often which window was used (see `throttle`).
    pub(super) windows: BTreeMap<String, Window>,
    seconds: i64,
    next_address: u64,
    next_key: u64,
    next_user: u64,
}

/// How often a limit was used in the current stretch of time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    pub(super) number: u64,
    pub(super) used: u64,
}

/// Who holds a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    User(u64),
    Group(u64),
}

pub(super) struct Group {
    pub(super) id: u64,
    pub(super) path: String,
    pub(super) name: String,
    pub(super) members: BTreeMap<u64, Member>,
    /// Nobody can be added (`gitlab.md` 7).
    pub(super) locked: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) access_level: u64,
    pub(super) expires_at: Option<String>,
    pub(super) created_at: Stamp,
    pub(super) updated_at: Stamp,
    pub(super) created_by: Option<u64>,
}

/// A token, without its text.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) user: u64,
    pub(super) kind: TokenKind,
    pub(super) scopes: Vec<String>,
    pub(super) expired: bool,
    pub(super) revoked: bool,
}

impl World {
    pub(super) fn new(seed: &Value) -> Result<Self, String> {
        let seed = seed::read(seed)?;
        let mut world = Self {
            settings: seed.settings,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            tokens: BTreeMap::new(),
            names: BTreeMap::new(),
            redirects: BTreeMap::new(),
            addresses: BTreeMap::new(),
            identities: BTreeMap::new(),
            windows: BTreeMap::new(),
            seconds: 0,
            next_address: 1,
            next_key: 1,
            next_user: ROOT,
        };
        let (mut roots, others): (Vec<_>, Vec<_>) =
            seed.users.into_iter().partition(|user| user.id == ROOT || user.username == "root");
        let root = roots.pop().unwrap_or_else(|| User { name: "Administrator".to_owned(), ..User::default() });
        if !roots.is_empty() {
            return Err("gitlab seed: users: `root` and the id 1 are one user, and stand there twice".to_owned());
        }
        world.settle(User { id: ROOT, username: "root".to_owned(), admin: true, ..root })?;
        // Given numbers first, so that a user without one cannot take the number of a later entry.
        let (given, open): (Vec<_>, Vec<_>) = others.into_iter().partition(|user| user.id != 0);
        for user in given.into_iter().chain(open) {
            world.settle(user)?;
        }
        for group in seed.groups {
            world.found(group)?;
        }
        let all = || ["api", "sudo", "admin_mode"].map(str::to_owned).to_vec();
        for kind in [TokenKind::Personal, TokenKind::Oauth] {
            let name = format!("root's {}", kind.word());
            let id = world.tokens.len() as u64 + 1;
            let token = Token { id, name, user: ROOT, kind, scopes: all(), expired: false, revoked: false };
            world.tokens.insert(root_token(kind), token);
        }
        let (given, open): (Vec<_>, Vec<_>) = seed.tokens.into_iter().partition(|token| token.id != 0);
        for token in given.into_iter().chain(open) {
            world.issue(token)?;
        }
        Ok(world)
    }

    /// Adds a user of a seed, filling in what it left open.
    fn settle(&mut self, mut user: User) -> Result<(), String> {
        if user.username.is_empty() {
            return Err("gitlab seed: users: a user needs a `username`".to_owned());
        }
        if user.id == 0 {
            user.id = self.next_user();
        }
        if user.name.is_empty() {
            user.name.clone_from(&user.username);
        }
        if user.email.is_empty() {
            user.email = format!("{}@example.com", user.username.to_lowercase());
        }
        self.complete(&mut user);
        self.collision(&user).map_or(Ok(()), |cause| Err(format!("gitlab seed: users: {cause}")))?;
        if self.users.contains_key(&user.id) {
            return Err(format!("gitlab seed: users: the id {} is there twice", user.id));
        }
        self.put(user);
        Ok(())
    }

    /// Adds an invented person; a number that is taken gives way to the next free one, a taken name stays out.
    pub(super) fn welcome(&mut self, mut user: User) {
        if self.users.contains_key(&user.id) {
            user.id = self.next_user();
        }
        self.complete(&mut user);
        if self.collision(&user).is_none() {
            self.put(user);
        }
    }

    /// Lower-cases addresses and numbers them, and keys.
    fn complete(&mut self, user: &mut User) {
        user.email = user.email.to_lowercase();
        if user.email_id == 0 {
            user.email_id = self.next_address();
        }
        for held in &mut user.emails {
            held.email = held.email.to_lowercase();
            if held.id == 0 {
                held.id = self.next_address();
            }
        }
        for key in &mut user.keys {
            if key.id == 0 {
                key.id = self.next_key;
            }
            self.next_key = self.next_key.max(key.id + 1);
        }
    }

    /// Why this user cannot stand beside the others, if so.
    fn collision(&self, user: &User) -> Option<String> {
        match self.names.get(&user.username.to_lowercase()) {
            Some(Holder::User(id)) if *id == user.id => {}
            Some(_) => return Some(format!("the name `{}` is taken", user.username)),
            None => {}
        }
        let taken = |address: &str| self.addresses.get(address).is_some_and(|holder| *holder != user.id);
        let mut own = user.emails.iter().map(|held| held.email.as_str()).chain([user.email.as_str()]);
        if own.any(taken) {
            return Some(format!("an e-mail address of `{}` is taken", user.username));
        }
        let linked = |identity: &&Identity| self.identities.get(*identity).is_some_and(|holder| *holder != user.id);
        let identity = user.identities.iter().find(linked)?;
        Some(format!("the identity of `{}` at `{}` is taken", user.username, identity.provider))
    }

    fn found(&mut self, group: SeedGroup) -> Result<(), String> {
        let fault = |cause: String| Err(format!("gitlab seed: groups: {cause}"));
        let id = if group.id == 0 { self.groups.keys().next_back().map_or(1, |last| last + 1) } else { group.id };
        if self.groups.contains_key(&id) {
            return fault(format!("the id {id} is there twice"));
        }
        let key = group.path.to_lowercase();
        if self.names.contains_key(&key) {
            return fault(format!("the path `{}` is taken", group.path));
        }
        if let Some((parent, _)) = key.rsplit_once('/')
            && !matches!(self.names.get(parent), Some(Holder::Group(_)))
        {
            return fault(format!("`{}` lies in `{parent}`, which must stand before it", group.path));
        }
        let mut members = BTreeMap::new();
        for seeded in group.members {
            let Some(user) = self.user_named(&seeded.username) else {
                return fault(format!("`{}` has the member `{}`, who is no user", group.path, seeded.username));
            };
            let member = Member {
                access_level: seeded.access_level,
                expires_at: seeded.expires_at.map(String::from),
                created_at: EPOCH,
                updated_at: EPOCH,
                created_by: Some(ROOT),
            };
            members.insert(user.id, member);
        }
        let last = group.path.rsplit('/').next().unwrap_or(&group.path).to_owned();
        self.names.insert(key, Holder::Group(id));
        let (name, locked) = (group.name.unwrap_or(last), group.locked);
        self.groups.insert(id, Group { id, name, path: group.path, members, locked });
        Ok(())
    }

    fn issue(&mut self, seeded: SeedToken) -> Result<(), String> {
        let Some(user) = self.user_named(&seeded.user).map(|user| user.id) else {
            return Err(format!("gitlab seed: tokens: `{}` is no user", seeded.user));
        };
        let plain = format!("glpat-lab-{}-{}", seeded.user, seeded.kind.word());
        let mut text = seeded.token.unwrap_or_else(|| plain.clone());
        let mut number = 2;
        while self.tokens.contains_key(&text) {
            text = format!("{plain}-{number}");
            number += 1;
        }
        let SeedToken { id, name, kind, scopes, expired, revoked, .. } = seeded;
        let last = self.tokens.values().map(|token| token.id).max().unwrap_or(0);
        let id = if id == 0 { last + 1 } else { id };
        if self.tokens.values().any(|token| token.id == id) {
            return Err(format!("gitlab seed: tokens: the id {id} is there twice"));
        }
        let name = name.unwrap_or_else(|| format!("{} {}", kind.word(), id));
        self.tokens.insert(text, Token { id, name, user, kind, scopes, expired, revoked });
        Ok(())
    }

    /// The access tokens that are listed, by their numbers.
    pub(super) fn listed_tokens(&self) -> Vec<&Token> {
        let mut listed: Vec<&Token> = self.tokens.values().filter(|token| token.kind.is_listed()).collect();
        listed.sort_by_key(|token| token.id);
        listed
    }

    /// Takes a token's power away; it stays in the list.
    pub(super) fn revoke(&mut self, id: u64) {
        for token in self.tokens.values_mut().filter(|token| token.id == id) {
            token.revoked = true;
        }
    }

    pub(super) fn token(&self, text: &str) -> Option<&Token> {
        self.tokens.get(text)
    }

    /// A second later than whatever happened before: each change has its own moment.
    pub(super) fn tick(&mut self) -> Stamp {
        self.seconds += 1;
        self.now()
    }

    pub(super) fn now(&self) -> Stamp {
        EPOCH.after(self.seconds)
    }

    /// The number for the next user; that of somebody who is gone is never given again.
    pub(super) fn next_user(&self) -> u64 {
        self.next_user
    }

    pub(super) fn next_address(&mut self) -> u64 {
        let held = self.next_address;
        self.next_address += 1;
        held
    }

    pub(super) fn users(&self) -> &BTreeMap<u64, User> {
        &self.users
    }

    pub(super) fn user(&self, id: u64) -> Option<&User> {
        self.users.get(&id)
    }

    /// By username, in any case.
    pub(super) fn user_named(&self, name: &str) -> Option<&User> {
        match self.names.get(&name.to_lowercase())? {
            Holder::User(id) => self.users.get(id),
            Holder::Group(_) => None,
        }
    }

    /// By number, else by username.
    pub(super) fn user_called(&self, who: &str) -> Option<&User> {
        who.parse().ok().and_then(|id| self.user(id)).or_else(|| self.user_named(who))
    }

    /// Whose address this is, primary or beside it, in any case.
    pub(super) fn address_holder(&self, address: &str) -> Option<u64> {
        self.addresses.get(&address.to_lowercase()).copied()
    }

    pub(super) fn identity_holder(&self, identity: &Identity) -> Option<u64> {
        self.identities.get(identity).copied()
    }

    pub(super) fn name_holder(&self, name: &str) -> Option<Holder> {
        self.names.get(&name.to_lowercase()).copied()
    }

    /// Whose name this once was.
    pub(super) fn redirect(&self, name: &str) -> Option<u64> {
        self.redirects.get(&name.to_lowercase()).copied()
    }

    /// Stores a user, new or changed, and brings every index up to date. A name that changes leaves a redirect
    /// (`gitlab.md` 3.5).
    pub(super) fn put(&mut self, user: User) {
        let id = user.id;
        let name = user.username.to_lowercase();
        if let Some(old) = self.users.remove(&id) {
            self.forget(&old);
            let before = old.username.to_lowercase();
            if before != name {
                self.redirects.insert(before, id);
            }
        }
        self.next_user = self.next_user.max(id.saturating_add(1));
        self.redirects.remove(&name);
        self.names.insert(name, Holder::User(id));
        self.addresses.insert(user.email.clone(), id);
        for held in &user.emails {
            self.addresses.insert(held.email.clone(), id);
        }
        for identity in &user.identities {
            self.identities.insert(identity.clone(), id);
        }
        self.users.insert(id, user);
    }

    fn forget(&mut self, user: &User) {
        self.names.remove(&user.username.to_lowercase());
        self.addresses.remove(&user.email);
        for Address { email, .. } in &user.emails {
            self.addresses.remove(email);
        }
        for identity in &user.identities {
            self.identities.remove(identity);
        }
    }

    /// Removes a user with everything that hangs on her.
    pub(super) fn remove(&mut self, id: u64) {
        if let Some(user) = self.users.remove(&id) {
            self.forget(&user);
        }
        self.redirects.retain(|_, holder| *holder != id);
        self.tokens.retain(|_, token| token.user != id);
        for group in self.groups.values_mut() {
            group.members.remove(&id);
        }
    }

    pub(super) fn groups(&self) -> &BTreeMap<u64, Group> {
        &self.groups
    }

    pub(super) fn group_mut(&mut self, id: u64) -> Option<&mut Group> {
        self.groups.get_mut(&id)
    }

    /// By number or full path.
    pub(super) fn group_called(&self, which: &str) -> Option<&Group> {
        if !which.is_empty() && which.chars().all(|c| c.is_ascii_digit()) {
            return self.groups.get(&which.parse().ok()?);
        }
        match self.name_holder(which)? {
            Holder::Group(id) => self.groups.get(&id),
            Holder::User(_) => None,
        }
    }

    /// The groups around this one, nearest first.
    pub(super) fn ancestors<'a>(&'a self, group: &'a Group) -> impl Iterator<Item = &'a Group> {
        let mut path = group.path.as_str();
        std::iter::from_fn(move || {
            path = path.rsplit_once('/')?.0;
            self.group_called(path)
        })
    }

    /// True where this member is an owner and the group would have none without her (`gitlab.md` 7, marked as unverified
    /// there): a group at the top counts its own, one inside of others those around it too. Who cannot sign in, and the
    /// bots of tokens, are no owners to go on with.
    pub(super) fn is_last_owner(&self, group: &Group, id: u64) -> bool {
        let is_owner = |group: &Group, id: u64| group.members.get(&id).is_some_and(|held| held.access_level == OWNER);
        let goes_on = |id: &u64| self.user(*id).is_some_and(|user| user.state == State::Active && !user.bot);
        let mut around = self.ancestors(group).chain([group]);
        is_owner(group, id)
            && !around
                .any(|near| near.members.keys().any(|other| *other != id && is_owner(near, *other) && goes_on(other)))
    }

    /// The numbers of the groups inside this one, at any depth.
    pub(super) fn descendants(&self, group: &Group) -> Vec<u64> {
        let inside = format!("{}/", group.path.to_lowercase());
        let held = self.groups.values().filter(|other| other.path.to_lowercase().starts_with(&inside));
        held.map(|other| other.id).collect()
    }

    /// Takes a group away, with those inside it.
    pub(super) fn disband(&mut self, id: u64) {
        let Some(group) = self.groups.get(&id) else { return };
        for inside in self.descendants(group).into_iter().chain([id]) {
            if let Some(gone) = self.groups.remove(&inside) {
                self.names.remove(&gone.path.to_lowercase());
            }
        }
    }

    /// Changes stored fields of one user behind the interface's back.
    pub(super) fn meddle(&mut self, who: &str, fields: &Value) -> Result<(), String> {
        let old = self.user_called(who).ok_or_else(|| format!("gitlab has no user `{who}`"))?;
        let mut user = seed::overlaid(old, fields).map_err(|cause| format!("gitlab user `{who}`: {cause}"))?;
        if user.id != old.id {
            return Err(format!("gitlab user `{who}`: an id never changes"));
        }
        self.complete(&mut user);
        self.collision(&user).map_or(Ok(()), |cause| Err(format!("gitlab user `{who}`: {cause}")))?;
        user.updated_at = self.tick();
        self.put(user);
        Ok(())
    }

    /// An interactive sign-in: refused to the blocked, and awakening for the deactivated (`gitlab.md` 4).
    pub(super) fn sign_in(&mut self, who: &str) -> Result<&User, String> {
        let mut user = self.user_called(who).ok_or_else(|| format!("gitlab has no user `{who}`"))?.clone();
        if user.state.counts_as_blocked() {
            return Err(format!("gitlab refuses the sign-in of `{}`: {}", user.username, user.state.word()));
        }
        let now = self.tick();
        user.state = State::Active;
        user.last_sign_in_at = Some(user.current_sign_in_at.unwrap_or(now));
        user.current_sign_in_at = Some(now);
        user.last_activity_on = Some(now.day());
        user.sign_in_count += 1;
        let id = user.id;
        self.put(user);
        self.user(id).ok_or_else(|| format!("gitlab has no user `{who}`"))
    }

    pub(super) fn dump(&self) -> Value {
        let users: Map<String, Value> = self
            .users
            .iter()
            .map(|(id, user)| (id.to_string(), serde_json::to_value(user).unwrap_or_default()))
            .collect();
        let groups: Map<String, Value> = self
            .groups
            .values()
            .map(|group| {
                let members: Map<String, Value> = group
                    .members
                    .iter()
                    .map(|(id, member)| {
                        let facts = json!({"access_level": member.access_level, "expires_at": member.expires_at});
                        (id.to_string(), facts)
                    })
                    .collect();
                let facts = json!({"path": group.path, "name": group.name, "members": members});
                (group.id.to_string(), facts)
            })
            .collect();
        let tokens: Map<String, Value> = self
            .tokens
            .values()
            .map(|token| {
                let facts = json!({
                    "name": token.name,
                    "user": token.user,
                    "kind": token.kind.word(),
                    "scopes": token.scopes,
                    "expired": token.expired,
                    "revoked": token.revoked,
                });
                (token.id.to_string(), facts)
            })
            .collect();
        json!({"settings": self.settings, "users": users, "groups": groups, "tokens": tokens})
    }
}

/// The text of root's token of this kind: the same in every lab.
pub(super) fn root_token(kind: TokenKind) -> String {
    format!("glpat-lab-root-{}", kind.word())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{ROOT, World};

    fn fault(seed: &Value) -> String {
        World::new(seed).err().unwrap_or_default()
    }

    #[test]
    fn an_empty_seed_has_root_and_nobody_else() {
        for seed in [json!({}), Value::Null] {
            let world = World::new(&seed).unwrap();
            let users: Vec<(u64, &str, bool)> =
                world.users().values().map(|user| (user.id, user.username.as_str(), user.admin)).collect();
            assert_eq!(users, [(ROOT, "root", true)]);
        }
    }

    #[test]
    fn a_wrong_seed_says_what_is_wrong_and_where() {
        for (seed, told) in [
            (json!({"user": []}), "unknown field `user`"),
            (json!({"users": [{"username": "a"}, {"usrname": "b"}]}), "users[1]: unknown field `usrname`"),
            (json!({"users": [{"username": "a", "state": "gone"}]}), "users[0]: unknown variant `gone`"),
            (json!({"users": [{"name": "A"}]}), "a user needs a `username`"),
            (json!({"users": [{"username": "a"}, {"username": "A"}]}), "the name `A` is taken"),
            (json!({"users": [{"username": "a", "id": 2}, {"username": "b", "id": 2}]}), "the id 2 is there twice"),
            (
                json!({"users": [{"username": "a", "email": "x@example.com"}, {"username": "b", "email": "X@example.com"}]}),
                "an e-mail address of `b` is taken",
            ),
            (json!({"users": [{"username": "a"}], "groups": [{"path": "A"}]}), "the path `A` is taken"),
            (json!({"groups": [{"path": "a/b"}]}), "`a/b` lies in `a`, which must stand before it"),
            (
                json!({"groups": [{"path": "a", "members": [{"username": "x", "access_level": 10}]}]}),
                "has the member `x`, who is no user",
            ),
            (json!({"tokens": [{"user": "x"}]}), "tokens: `x` is no user"),
            (json!({"settings": {"dormant": 1}}), "unknown field `dormant`"),
        ] {
            assert!(fault(&seed).contains(told), "{seed} says: {}", fault(&seed));
        }
    }

    #[test]
    fn a_user_without_a_number_gets_the_next_one_and_numbers_are_never_given_twice() {
        let mut world = World::new(&json!({"users": [{"username": "a"}, {"username": "b", "id": 40}]})).unwrap();
        assert_eq!(world.user_named("a").map(|user| user.id), Some(41));
        world.remove(41);
        assert_eq!(world.next_user(), 42);
        assert_eq!(World::new(&json!({"users": [{"username": "a"}]})).unwrap().next_user(), 3);
    }

    #[test]
    fn a_seed_may_say_more_about_root() {
        let world = World::new(&json!({"users": [{"username": "root", "preferred_language": "de", "admin": false}]}));
        let world = world.unwrap();
        let root = world.user(ROOT).unwrap();
        assert_eq!((root.preferred_language.as_str(), root.admin), ("de", true));
    }
}
