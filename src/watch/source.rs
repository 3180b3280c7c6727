//! Where a watcher's events come from: a proposer, the log, its mailbox; first the one and then the
//! other.

use std::sync::Arc;

use super::fetched::Fetched;
use super::filter::Filter;
use super::log::FromLog;
use super::mail::FromMail;
use super::member::Member;
use super::past::{self, Past};
use crate::error::WatchError;
use crate::shared::Shared;
use crate::table::schema::Schema;
use crate::version::Moment;

/// Where a watcher's events come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Boxed: those with a mailbox are more, and need less room.
    Log(Box<FromLog>),
    Mail(FromMail),
    /// The log up to a version, and the mailbox for what comes after it.
    Joining(Box<Joining>),
    /// What a proposer had that the log has not, and then another source.
    Past(Box<Before>),
    /// There are as many watchers as there may be.
    Refused(Refused),
}

/// Gives nothing.
#[derive(Debug)]
pub(super) struct Refused {
    position: u64,
    watchers_max: u64,
}

#[derive(Debug)]
pub(super) struct Before {
    past: Past,
    then: Source,
}

#[derive(Debug)]
pub(super) struct Joining {
    log: FromLog,
    last: u64,
    mail: FromMail,
}

impl Joining {
    /// As [`FromLog::fetch`], up to where the mailbox goes on.
    fn fetch(
        &mut self,
        schema: &Schema,
        member: &Member,
        fetched: &mut Fetched,
    ) -> Result<bool, WatchError> {
        self.log.fetch(schema, &member.filter, self.last, fetched)
    }
}

/// A member, and where its events come from.
pub(super) type Begun = (Arc<Member>, Source);

impl Source {
    /// What comes from now on.
    pub(super) fn new(shared: &Shared, filter: Filter) -> Begun {
        let schema = &shared.schema;
        if filter.asks_for_delivery(schema) {
            let member = shared.shards.member(schema, filter, true);
            member.read.set(shared.kernel().horizon.visible());
            let start = shared.shards.subscribe(schema, &member);
            return (member, Self::Mail(FromMail::after(start)));
        }
        let member = shared.shards.member(schema, filter, false);
        let log = FromLog::new(schema, &member.filter);
        member.read.set(log.position());
        shared.shards.list(schema.kernel(), &member);
        (member, Self::Log(Box::new(log)))
    }

    /// Nothing, since there are `watchers_max` watchers already.
    pub(super) fn refused(shared: &Shared, filter: Filter, watchers_max: u64) -> Begun {
        let member = shared.shards.member(&shared.schema, filter, false);
        let position = shared.kernel().horizon.visible();
        let refused = Refused {
            position,
            watchers_max,
        };
        (member, Self::Refused(refused))
    }

    /// Whether it never began.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// What comes after an older version; `Err`: it is kept from there on only.
    pub(super) fn from(shared: &Shared, filter: Filter, version: u64) -> Result<Begun, u64> {
        let schema = &shared.schema;
        // The cursor first: the log is kept from there on, whatever becomes of the rest.
        let (past, log) = past::after(shared, &filter, version)?;
        if !filter.asks_for_delivery(schema) {
            let member = shared.shards.member(schema, filter, false);
            member.read.set(version);
            shared.shards.list(schema.kernel(), &member);
            return Ok((member, Self::Log(Box::new(log)).behind(past)));
        }
        let member = shared.shards.member(schema, filter, true);
        member.read.set(version);
        let last = shared.shards.subscribe(schema, &member);
        member.begin_after(last);
        let mail = FromMail::after(last);
        let joining = Self::Joining(Box::new(Joining { log, last, mail }));
        Ok((member, joining.behind(past)))
    }

    /// This, behind what a proposer had.
    fn behind(self, past: Option<Past>) -> Self {
        match past {
            Some(past) => Self::Past(Box::new(Before { past, then: self })),
            None => self,
        }
    }

    /// Goes back to an older version, up to where the mailbox goes on; `Err`: as for
    /// [`Source::from`].
    pub(super) fn go_back(&mut self, shared: &Shared, member: &Member, to: u64) -> Result<(), u64> {
        let (past, log) = past::after(shared, &member.filter, to)?;
        let before = std::mem::replace(self, Self::Mail(FromMail::after(0)));
        *self = before.reading(shared, member, log).behind(past);
        Ok(())
    }

    /// The same, with another log before where the mailbox goes on.
    fn reading(self, shared: &Shared, member: &Member, log: FromLog) -> Self {
        match self {
            Self::Log(_) => Self::Log(Box::new(log)),
            Self::Mail(mail) => {
                let last = mail.position();
                Self::joining(shared, member, Joining { log, last, mail })
            }
            Self::Joining(joining) => Self::joining(shared, member, Joining { log, ..*joining }),
            Self::Past(before) => before.then.reading(shared, member, log),
            // It has not lagged, and has nowhere to go back to.
            refused @ Self::Refused(_) => refused,
        }
    }

    /// What lies before the log is given by the caller, though the mailbox have it as well: a
    /// mailbox keeps no log for itself.
    fn joining(shared: &Shared, member: &Member, mut joining: Joining) -> Self {
        if member.coalesces() {
            // The log gives all there is: what lies in the mailbox may have been made one of what
            // the log gives again and what comes later.
            joining.last = joining.mail.begin_anew(shared.kernel(), member);
        }
        joining.mail.skip(member, joining.log.position());
        Self::Joining(Box::new(joining))
    }

    /// The snapshot that goes with it is of this version: what comes after it is wanted.
    pub(super) fn start_at(&mut self, version: u64) {
        match self {
            Self::Log(log) => log.move_to(version),
            Self::Mail(mail) => mail.move_to(version),
            Self::Joining(_) | Self::Past(_) => {
                unreachable!("a watcher from an older version has no snapshot")
            }
            Self::Refused(refused) => refused.position = version,
        }
    }

    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Log(log) => log.position(),
            Self::Mail(mail) => mail.position(),
            Self::Joining(joining) => joining.log.position(),
            Self::Past(before) => before.past.position(),
            Self::Refused(refused) => refused.position,
        }
    }

    /// Puts the events of a run of commits into `fetched`, or none if they have none; false: there
    /// is nothing more now.
    pub(super) fn fetch(
        &mut self,
        shared: &Shared,
        member: &Member,
        fetched: &mut Fetched,
    ) -> Result<bool, WatchError> {
        let (schema, filter) = (&shared.schema, &member.filter);
        if let Self::Past(before) = self {
            if before.past.fetch(filter, fetched) {
                return Ok(true);
            }
            *self = std::mem::replace(&mut before.then, Self::Mail(FromMail::after(0)));
        }
        if let Self::Joining(joining) = self {
            if joining.fetch(schema, member, fetched)? {
                return Ok(true);
            }
            let mail = std::mem::replace(&mut joining.mail, FromMail::after(0));
            *self = Self::Mail(mail);
        }
        match self {
            Self::Log(log) => log.fetch(schema, filter, u64::MAX, fetched),
            Self::Mail(mail) => mail.fetch(&shared.shards, schema, member, fetched),
            Self::Joining(_) | Self::Past(_) => Ok(true),
            Self::Refused(refused) => Err(WatchError::TooManyWatchers {
                watchers_max: refused.watchers_max,
            }),
        }
    }

    /// How many changes were taken out of a mailbox and not fetched, or are still to be fetched
    /// before it, about.
    pub(super) fn taken(&self) -> u64 {
        match self {
            Self::Mail(mail) => mail.taken(),
            Self::Joining(joining) => {
                let left = joining.last.saturating_sub(joining.log.position());
                left + joining.mail.taken()
            }
            Self::Past(before) => before.past.left() + before.then.taken(),
            Self::Log(_) | Self::Refused(_) => 0,
        }
    }

    /// Up to where it has read the log, if it reads that, or nothing before it.
    fn log_position(&self) -> Option<u64> {
        match self {
            Self::Log(log) => Some(log.position()),
            _ => None,
        }
    }

    /// Tells how far a member is, with what is fetched of it, and what was taken for it.
    pub(super) fn tell(&self, member: &Member, fetched: &Fetched) {
        let position = match fetched.is_empty() {
            true => self.position(),
            false => fetched.received(),
        };
        member.read.set(position);
        let in_mail = || match self {
            Self::Mail(mail) => mail.taken_since(),
            Self::Joining(joining) => joining.mail.taken_since(),
            _ => None,
        };
        let since = fetched.since().or_else(in_mail);
        let taken = fetched.len() as u64 + self.taken();
        member.set_taken(taken, since.unwrap_or(Moment::UNKNOWN));
        member.set_fetched(self.log_position());
    }

    /// Whether there may be something to fetch.
    pub(super) fn has_more(&self, shared: &Shared, member: &Member) -> bool {
        match self {
            Self::Log(log) => shared.kernel().horizon.visible() > log.position(),
            Self::Mail(mail) => mail.has_more(&shared.shards, &shared.schema, member),
            Self::Joining(_) | Self::Past(_) | Self::Refused(_) => true,
        }
    }
}
