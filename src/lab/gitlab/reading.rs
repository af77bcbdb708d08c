//! Reading users (`gitlab.md` 2): the list with its filters, one user, oneself, memberships and status.

use std::{cmp::Ordering, ops::Bound};

use serde_json::{Value, json};

use super::{
    asked::{Answer, Asked},
    door::{Caller, used_up},
    entity::{self, Entity},
    paging::{self, Cursor, Page},
    user::{Identity, Stamp, State, User},
    world::World,
};

pub(super) fn version(world: &mut World, caller: &Caller, _: &Asked, _: i64) -> Result<Answer, Answer> {
    caller.must_be_somebody()?;
    Ok(Answer::ok(json!({"version": world.settings.version, "revision": "1ab0000c0de"})))
}

/// `GET /user`: the owner of the token, or whom she acts for.
pub(super) fn oneself(world: &mut World, caller: &Caller, _: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = caller.must_be_somebody()?;
    let user = world.user(id).ok_or_else(Answer::unauthorized)?;
    let entity = if user.admin { Entity::WithAdmin } else { Entity::Public };
    Ok(Answer::ok(entity::user(world, caller, user, entity)))
}

/// `GET /users/:id`.
pub(super) fn one(world: &mut World, caller: &Caller, asked: &Asked, wall: i64) -> Result<Answer, Answer> {
    let id = asked.number_at("id")?;
    let Some(reader) = caller.user else { return Err(Answer::forbidden_because("Not authorized!")) };
    let limit = world.settings.users_get_by_id_limit;
    if !caller.admin && used_up(world, format!("users_get_by_id/{reader}"), limit, 600, wall) {
        return Err(Answer::too_often());
    }
    let user = world.user(id).ok_or_else(|| Answer::not_found("User"))?;
    let entity = if caller.admin { Entity::DetailsWithAdmin } else { Entity::User };
    Ok(Answer::ok(entity::user(world, caller, user, entity)))
}

/// `GET /users/:id/status`, by number or username.
pub(super) fn status(world: &mut World, _: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    world.user_called(asked.place("id")).ok_or_else(|| Answer::not_found("User"))?;
    let none =
        json!({"emoji": null, "availability": null, "message": null, "message_html": "", "clear_status_at": null});
    Ok(Answer::ok(none))
}

/// `GET /users/:id/memberships`.
pub(super) fn memberships(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let id = asked.number_at("id")?;
    let mut form = asked.form();
    let kind = form.word("type", &["Project", "Namespace"]);
    form.done()?;
    let page = Page::asked(asked)?;
    caller.must_be_admin()?;
    world.user(id).ok_or_else(|| Answer::not_found("User"))?;
    let rows: Vec<Value> = world
        .groups()
        .values()
        .filter(|_| kind.as_deref() != Some("Project"))
        .filter_map(|group| {
            let member = group.members.get(&id)?;
            Some(json!({
                "source_id": group.id,
                "source_name": group.name,
                "source_type": "Namespace",
                "access_level": member.access_level,
            }))
        })
        .collect();
    let total = rows.len() as u64;
    Ok(paging::offset(asked, caller, page, total, rows.into_iter(), |row| row))
}

/// What `GET /users` was asked to leave out.
#[expect(clippy::struct_excessive_bools, reason = "they are independent switches of one request")]
struct Filter {
    username: Option<String>,
    search: Option<Search>,
    identity: Option<Identity>,
    active: bool,
    blocked: bool,
    external: bool,
    humans: bool,
    admins: bool,
    exclude_active: bool,
    exclude_external: bool,
    exclude_humans: bool,
    exclude_internal: bool,
    without_project_bots: bool,
    two_factor: Option<bool>,
    created_after: Option<Stamp>,
    created_before: Option<Stamp>,
    /// Only an administrator sees the blocked, and finds by addresses that are not public.
    by_admin: bool,
}

struct Search {
    whole: String,
    words: Vec<String>,
}

impl Search {
    fn new(text: &str) -> Self {
        let whole = text.trim().to_lowercase();
        let words = whole.split_whitespace().map(str::to_owned).collect();
        Self { whole, words }
    }

    /// Names match in part, words each for itself, but whole where fewer than three letters are sought; addresses only
    /// whole.
    fn finds(&self, user: &User, by_admin: bool) -> bool {
        let found_in = |text: &str| {
            let text = text.to_lowercase();
            match self.whole.chars().count() {
                0 => true,
                1 | 2 => text == self.whole,
                _ => self.words.iter().all(|word| text.contains(word.as_str())),
            }
        };
        found_in(&user.username)
            || found_in(&user.name)
            || user.public_email.as_ref().is_some_and(|address| *address == self.whole)
            || (by_admin && (user.email == self.whole || user.emails.iter().any(|held| held.email == self.whole)))
    }

    /// Exact matches come first.
    fn rank(&self, user: &User) -> u8 {
        if user.name.to_lowercase() == self.whole {
            0
        } else if user.username.to_lowercase() == self.whole {
            1
        } else if user.email == self.whole || user.public_email.as_ref() == Some(&self.whole) {
            2
        } else {
            3
        }
    }
}

impl Filter {
    fn takes(&self, user: &User) -> bool {
        let blocked = matches!(user.state, State::Blocked | State::LdapBlocked);
        (self.by_admin || !user.state.counts_as_blocked())
            && self.username.as_ref().is_none_or(|name| user.username.to_lowercase() == *name)
            && self.identity.as_ref().is_none_or(|identity| user.identities.contains(identity))
            && (!self.active || user.state == State::Active)
            && (!self.exclude_active || user.state != State::Active)
            && (!self.blocked || blocked)
            && (!self.external || user.external)
            && (!self.exclude_external || !user.external)
            && (!self.humans || !(user.bot || user.internal))
            && (!self.exclude_humans || user.bot || user.internal)
            && (!self.exclude_internal || !user.internal)
            && (!self.without_project_bots || !user.bot)
            && (!(self.admins && self.by_admin) || user.admin)
            && self.two_factor.is_none_or(|wanted| user.two_factor_enabled == wanted)
            && self.created_after.is_none_or(|after| user.created_at >= after)
            && self.created_before.is_none_or(|before| user.created_at <= before)
            && self.search.as_ref().is_none_or(|search| search.finds(user, self.by_admin))
    }

    /// The one user that can match at all, where an index knows: an outer `None` means that all must be looked at.
    fn only(&self, world: &World) -> Candidates {
        let known = match (&self.username, &self.identity) {
            (Some(name), _) => world.user_named(name).map(|user| user.id),
            (None, Some(identity)) => world.identity_holder(identity),
            (None, None) => return Candidates::All,
        };
        known.map_or(Candidates::None, Candidates::One)
    }

    fn is_open(&self) -> bool {
        self.by_admin
            && self.username.is_none()
            && self.search.is_none()
            && self.identity.is_none()
            && self.two_factor.is_none()
            && self.created_after.is_none()
            && self.created_before.is_none()
            && ![
                self.active,
                self.blocked,
                self.external,
                self.humans,
                self.admins,
                self.exclude_active,
                self.exclude_external,
                self.exclude_humans,
                self.exclude_internal,
                self.without_project_bots,
            ]
            .contains(&true)
    }
}

enum Candidates {
    None,
    One(u64),
    All,
}

/// In what order.
struct Order {
    by: String,
    descending: bool,
}

impl Order {
    /// By number needs no sorting; GitLab orders `created_at` so, too.
    fn by_number(&self) -> bool {
        self.by == "id" || self.by == "created_at"
    }

    fn value(&self, user: &User) -> String {
        match self.by.as_str() {
            "name" => user.name.clone(),
            "username" => user.username.clone(),
            "updated_at" => user.updated_at.to_string(),
            _ => String::new(),
        }
    }

    fn compare(&self, (a_value, a_id): (&str, u64), (b_value, b_id): (&str, u64)) -> Ordering {
        let order = a_value.cmp(b_value).then(a_id.cmp(&b_id));
        if self.descending { order.reverse() } else { order }
    }
}

/// `GET /users`.
pub(super) fn list(world: &mut World, caller: &Caller, asked: &Asked, _: i64) -> Result<Answer, Answer> {
    let mut form = asked.form();
    let username = form.text("username").value().filter(|name| !name.is_empty());
    let search = form.text("search").value().filter(|text| !text.is_empty());
    form.together("extern_uid", "provider");
    let identity = match (form.text("provider").value(), form.text("extern_uid").value()) {
        (Some(provider), Some(extern_uid)) if !provider.is_empty() && !extern_uid.is_empty() => {
            Some(Identity { provider, extern_uid })
        }
        _ => None,
    };
    let mut on = |name: &str| form.flag(name).value().unwrap_or(false);
    let mut filter = Filter {
        username: username.map(|name| name.to_lowercase()),
        search: search.as_deref().map(Search::new),
        identity,
        active: on("active"),
        blocked: on("blocked"),
        external: on("external"),
        humans: on("humans"),
        admins: on("admins"),
        exclude_active: on("exclude_active"),
        exclude_external: on("exclude_external"),
        exclude_humans: on("exclude_humans"),
        exclude_internal: on("exclude_internal"),
        without_project_bots: on("without_project_bots"),
        two_factor: None,
        created_after: None,
        created_before: None,
        by_admin: caller.admin,
    };
    filter.two_factor = match form.text("two_factor").value().as_deref() {
        Some("enabled") => Some(true),
        Some("disabled") => Some(false),
        _ => None,
    };
    filter.created_after = form.moment("created_after");
    filter.created_before = form.moment("created_before");
    let order_by = form.word("order_by", &["id", "name", "username", "created_at", "updated_at"]);
    let sort = form.word("sort", &["asc", "desc"]);
    let by_keys = form.word("pagination", &["legacy", "keyset"]).as_deref() == Some("keyset");
    form.done()?;
    let page = Page::asked(asked)?;
    if filter.identity.is_some() {
        caller.must_be_admin()?;
    }
    let (mut order_by, mut sort) = (order_by, sort);
    if !caller.admin {
        (filter.two_factor, filter.created_after, filter.created_before) = (None, None, None);
        (order_by, sort) = (None, None);
    }
    if caller.user.is_none() && filter.username.is_none() {
        return Err(Answer::forbidden_because("Not authorized to access /api/v4/users"));
    }
    let ranked = filter.search.is_some() && order_by.is_none() && sort.is_none();
    let order = Order { by: order_by.unwrap_or_else(|| "id".to_owned()), descending: sort.as_deref() != Some("asc") };
    let world = &*world;
    let entity = if caller.admin { Entity::WithAdmin } else { Entity::Basic };
    let show = |user: &User| entity::user(world, caller, user, entity);
    if by_keys && !ranked {
        let (rows, next) = scan(world, &filter, &order, page, Cursor::asked(asked)?);
        return Ok(paging::keyset(asked, caller, page, rows.into_iter().map(show).collect(), next.as_ref()));
    }
    paging::within(page, world.settings.offset_limit)?;
    if let (Candidates::All, true, true) = (filter.only(world), filter.is_open(), order.by_number()) {
        let (users, total) = (world.users().values(), world.users().len() as u64);
        return Ok(if order.descending {
            paging::offset(asked, caller, page, total, users.rev(), show)
        } else {
            paging::offset(asked, caller, page, total, users, show)
        });
    }
    let mut rows = matching(world, &filter);
    match (&filter.search, ranked) {
        (Some(search), true) => {
            rows.sort_by(|a, b| {
                search.rank(a).cmp(&search.rank(b)).then_with(|| a.name.cmp(&b.name)).then(b.id.cmp(&a.id))
            });
        }
        _ => sort_rows(&mut rows, &order),
    }
    let total = rows.len() as u64;
    Ok(paging::offset(asked, caller, page, total, rows.into_iter(), show))
}

/// All that match, by number.
fn matching<'a>(world: &'a World, filter: &Filter) -> Vec<&'a User> {
    match filter.only(world) {
        Candidates::None => Vec::new(),
        Candidates::One(id) => world.user(id).into_iter().filter(|user| filter.takes(user)).collect(),
        Candidates::All => world.users().values().filter(|user| filter.takes(user)).collect(),
    }
}

fn sort_rows(rows: &mut [&User], order: &Order) {
    match (order.by_number(), order.descending) {
        (true, true) => rows.reverse(),
        (true, false) => {}
        (false, _) => {
            rows.sort_by(|a, b| order.compare((&order.value(a), a.id), (&order.value(b), b.id)));
        }
    }
}

/// One page of a keyset scan, and where the next begins. By number it walks the store and never counts.
fn scan<'a>(
    world: &'a World,
    filter: &Filter,
    order: &Order,
    page: Page,
    from: Option<Cursor>,
) -> (Vec<&'a User>, Option<Cursor>) {
    let wanted = usize::try_from(page.size).unwrap_or(20);
    let mut rows: Vec<&User> = if order.by_number() {
        let last = from.map(|cursor| cursor.id);
        let takes = |user: &&User| filter.takes(user);
        if order.descending {
            let range = (Bound::Unbounded, last.map_or(Bound::Unbounded, Bound::Excluded));
            world.users().range(range).rev().map(|(_, user)| user).filter(takes).take(wanted + 1).collect()
        } else {
            let range = (last.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
            world.users().range(range).map(|(_, user)| user).filter(takes).take(wanted + 1).collect()
        }
    } else {
        let mut rows = matching(world, filter);
        sort_rows(&mut rows, order);
        let after = |user: &&User| {
            from.as_ref().is_none_or(|cursor| {
                order.compare((&order.value(user), user.id), (&cursor.value, cursor.id)) == Ordering::Greater
            })
        };
        rows.into_iter().filter(after).take(wanted + 1).collect()
    };
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().filter(|_| more).map(|user| Cursor { value: order.value(user), id: user.id });
    (rows, next)
}
