//! Where somebody can be: teams, and channels written `team/channel` (`mattermost.md` 8).
//!
//! Names become ids here, and who is where is read for all accounts at once: each place is asked for the ids of all of
//! them, or each account for her teams where that takes fewer requests. It changes nothing and foresees nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::json;

use super::reading::{BULK, read, segment};
use crate::{
    connector::ConnectorError,
    model::{
        account::{Account, Facts, Wanted},
        accounts::Accounts,
        attribute::{AttributeName, Value},
        id::SystemName,
    },
    wire::Reader,
};

/// The one level there is in a team and in a channel.
pub(super) const MEMBER: &str = "member";

/// The sets of this provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Set {
    Teams,
    Channels,
}

impl Set {
    /// The local name of the attribute.
    pub(super) const fn attribute(self) -> &'static str {
        match self {
            Self::Teams => "teams",
            Self::Channels => "channels",
        }
    }

    /// What a member of the set is.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Teams => "team",
            Self::Channels => "channel",
        }
    }

    /// The set and the member that an attribute of this system names; `None` for every other attribute.
    pub(super) fn of<'a>(system: &SystemName, attribute: &'a AttributeName) -> Option<(Self, &'a str)> {
        let member = attribute.member()?;
        let set = [Self::Teams, Self::Channels].into_iter().find(|set| set.attribute() == attribute.local())?;
        (attribute.system().as_ref() == Some(system)).then_some((set, member))
    }
}

/// The fact that holds the id of a place.
pub(super) fn id_fact(set: Set, name: &str) -> String {
    format!("{}:{name}", set.kind())
}

/// The fact that groups decide who is in a place.
pub(super) fn groups_fact(set: Set, name: &str) -> String {
    format!("{} by groups:{name}", set.kind())
}

/// The fact with the domains a team takes addresses of.
pub(super) fn domains_fact(team: &str) -> String {
    format!("team domains:{team}")
}

/// The fact of an account that it is in the team of a channel.
pub(super) fn seat_fact(team: &str) -> String {
    format!("in team:{team}")
}

/// A team, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Team {
    id: String,
    #[serde(default)]
    delete_at: i64,
    #[serde(default)]
    allowed_domains: String,
    #[serde(default)]
    group_constrained: Option<bool>,
}

/// A channel, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Channel {
    id: String,
    team_id: String,
    #[serde(default)]
    group_constrained: Option<bool>,
}

/// Somebody's place in a team or channel. Who left a team is still shown, with the time (`mattermost.md` 8).
#[derive(Debug, Deserialize)]
pub(super) struct Seat {
    pub(super) user_id: String,
    #[serde(default)]
    team_id: String,
    #[serde(default)]
    delete_at: i64,
}

impl Seat {
    /// True for somebody who is there.
    pub(super) fn is_taken(&self) -> bool {
        self.delete_at == 0
    }
}

/// The places somebody asked for that are there, by name.
#[derive(Debug, Default)]
pub(super) struct Places {
    teams: BTreeMap<String, Team>,
    channels: BTreeMap<String, Channel>,
}

impl Places {
    /// Looks all of them up. An archived place is none.
    pub(super) async fn find(wanted: &Wanted, wire: Reader<'_>) -> Result<Self, ConnectorError> {
        let names = |set: Set| -> BTreeSet<String> {
            let attribute = AttributeName::of_system(wire.system(), set.attribute());
            wanted.names(set.kind(), &attribute).map(str::to_owned).collect()
        };
        let teams = try_join_all(names(Set::Teams).into_iter().map(async |name| {
            let path = format!("/api/v4/teams/name/{}", segment(&name));
            let team: Option<Team> = look_up(&path, wire).await?;
            Ok::<_, ConnectorError>(team.filter(|team| team.delete_at == 0).map(|team| (name, team)))
        }));
        let channels = try_join_all(names(Set::Channels).into_iter().map(async |name| {
            // Without a slash it names no channel of a team.
            let Some((team, channel)) = name.split_once('/') else { return Ok(None) };
            let path = format!("/api/v4/teams/name/{}/channels/name/{}", segment(team), segment(channel));
            Ok::<_, ConnectorError>(look_up(&path, wire).await?.map(|channel| (name, channel)))
        }));
        let (teams, channels) = tokio::try_join!(teams, channels)?;
        Ok(Self { teams: teams.into_iter().flatten().collect(), channels: channels.into_iter().flatten().collect() })
    }

    /// What the server's facts hold of them.
    pub(super) fn tell(&self, facts: &mut Facts) {
        for (name, team) in &self.teams {
            facts.insert(id_fact(Set::Teams, name), Value::text(&team.id));
            facts.insert(groups_fact(Set::Teams, name), (team.group_constrained == Some(true)).into());
            facts.insert(domains_fact(name), Value::text(&team.allowed_domains));
        }
        for (name, channel) in &self.channels {
            facts.insert(id_fact(Set::Channels, name), Value::text(&channel.id));
            facts.insert(groups_fact(Set::Channels, name), (channel.group_constrained == Some(true)).into());
        }
    }

    /// Adds to each account what it is of each wanted member, and whether it is in the teams of the wanted channels.
    pub(super) async fn seat(
        &self,
        wanted: &Wanted,
        accounts: &mut Accounts,
        wire: Reader<'_>,
    ) -> Result<(), ConnectorError> {
        let set = |set: Set| AttributeName::of_system(wire.system(), set.attribute());
        let members = |set: &AttributeName| wanted.members.get(set).into_iter().flatten();
        let (team_set, channel_set) = (set(Set::Teams), set(Set::Channels));
        let teams: Vec<(&String, Option<&str>)> =
            members(&team_set).map(|name| (name, self.teams.get(name).map(|team| team.id.as_str()))).collect();
        let channels: Vec<(&String, Option<&Channel>)> =
            members(&channel_set).map(|name| (name, self.channels.get(name))).collect();
        if teams.is_empty() && channels.is_empty() {
            return Ok(());
        }

        let of_channels = channels.iter().filter_map(|(_, channel)| Some(channel.as_ref()?.team_id.as_str()));
        let team_ids: BTreeSet<&str> = teams.iter().filter_map(|(_, id)| *id).chain(of_channels).collect();
        let channel_ids: BTreeSet<&str> =
            channels.iter().filter_map(|(_, channel)| Some(channel.as_ref()?.id.as_str())).collect();
        let users: Vec<String> = accounts.iter().filter_map(|account| account.id()).map(str::to_owned).collect();
        let (in_teams, in_channels) =
            tokio::try_join!(in_teams(&users, &team_ids, wire), in_places("channels", &users, &channel_ids, wire))?;

        let show = |account: &mut Account| {
            let Some(user) = account.id.as_ref().map(|id| id.as_str().to_owned()) else { return };
            let is_in = |seats: &Seats, place: &str| seats.get(place).is_some_and(|users| users.contains(&user));
            let level = |is_in: bool| if is_in { Value::text(MEMBER) } else { Value::Empty };
            for (name, id) in &teams {
                let level = level(id.is_some_and(|id| is_in(&in_teams, id)));
                account.attributes.insert(AttributeName::member_of(&team_set, name), level);
            }
            for (name, channel) in &channels {
                let level = level(channel.is_some_and(|channel| is_in(&in_channels, &channel.id)));
                account.attributes.insert(AttributeName::member_of(&channel_set, name), level);
                if let (Some(channel), Some((team, _))) = (channel, name.split_once('/')) {
                    account.facts.insert(seat_fact(team), is_in(&in_teams, &channel.team_id).into());
                }
            }
        };
        accounts.edit(show);
        Ok(())
    }
}

/// Who is where: users by place.
type Seats = BTreeMap<String, BTreeSet<String>>;

/// Who of these users is in which of these teams.
async fn in_teams(users: &[String], teams: &BTreeSet<&str>, wire: Reader<'_>) -> Result<Seats, ConnectorError> {
    if users.len() >= teams.len() {
        return in_places("teams", users, teams, wire).await;
    }
    let answers = try_join_all(users.iter().map(async |user| {
        let reply = wire.get(&format!("/api/v4/users/{}/teams/members", segment(user)), &[]).await?;
        read::<Option<Vec<Seat>>>(wire, &reply, "something else than a list of team members")
    }))
    .await?;
    let mut seats = Seats::new();
    for seat in answers.into_iter().flatten().flatten().filter(Seat::is_taken) {
        seats.entry(seat.team_id).or_default().insert(seat.user_id);
    }
    Ok(seats)
}

/// Who of these users is in which of these places, each asked for all of them.
async fn in_places(
    kind: &str,
    users: &[String],
    places: &BTreeSet<&str>,
    wire: Reader<'_>,
) -> Result<Seats, ConnectorError> {
    let questions = places.iter().flat_map(|place| users.chunks(BULK).map(move |users| (*place, users)));
    let answers = try_join_all(questions.map(async |(place, users)| {
        let reply = wire.search(&format!("/api/v4/{kind}/{}/members/ids", segment(place)), &json!(users)).await?;
        let seats: Option<Vec<Seat>> = read(wire, &reply, "something else than a list of members")?;
        Ok::<_, ConnectorError>((place.to_owned(), seats.unwrap_or_default()))
    }))
    .await?;
    let mut seats = Seats::new();
    for (place, found) in answers {
        let there = found.into_iter().filter(Seat::is_taken).map(|seat| seat.user_id);
        seats.entry(place).or_default().extend(there);
    }
    Ok(seats)
}

/// A thing by its name; `None` where there is none of it.
async fn look_up<T: for<'de> Deserialize<'de>>(path: &str, wire: Reader<'_>) -> Result<Option<T>, ConnectorError> {
    let reply = wire.get(path, &[]).await?;
    match reply.status {
        // Unknown, or no name at all.
        400 | 404 if reply.json().is_some() => Ok(None),
        _ => read(wire, &reply, "something else than a team or channel to a look-up by name").map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_names_a_place_of_its_own_system_or_none() {
        let system = SystemName::from("chat");
        for (attribute, expected) in [
            ("chat.teams[sales]", Some((Set::Teams, "sales"))),
            ("chat.channels[sales/town-square]", Some((Set::Channels, "sales/town-square"))),
            ("other.teams[sales]", None),
            ("chat.groups[sales]", None),
            ("chat.teams", None),
            ("teams[sales]", None),
            ("username", None),
        ] {
            assert_eq!(Set::of(&system, &AttributeName::new(attribute)), expected, "{attribute}");
        }
    }
}
