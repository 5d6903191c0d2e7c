//! Splits a batch into sub-batches, one transaction each.

use std::collections::HashSet;

use store::{Lock, ReadSet};

use crate::item::Item;
use crate::role::Role;

/// The number of items from the front that can share a transaction. A message must see what the one before it changed in
/// the same request, so each request occurs at most once. A role that only reads can process any number: an approval and
/// the activation that follows it arrive one after the other for each request, and would otherwise need two transactions.
pub(crate) fn first_len<R: Role>(role: &R, items: &[Item<R::Message>]) -> usize {
    let is_reading = role.lock() == Lock::Read;
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let Item::Good(received) = item else { continue };
        if role.needs_own_transaction(received) {
            return index.max(1);
        }
        let mut read_set = ReadSet::default();
        role.collect_reads(received, &mut read_set);
        let is_separate = is_reading || read_set.requests.iter().all(|request| seen.insert(*request));
        if !is_separate || !seen.insert(received.key) {
            return index;
        }
    }
    items.len()
}

#[cfg(test)]
mod tests {
    use contracts::Kind;
    use contracts::commands::TimerDue;
    use contracts::envelope::{About, Message, message, wall_clock};
    use contracts::events::{Actor, Particulars, Step};
    use uuid::Uuid;

    use super::*;
    use crate::expiry::Expiry;
    use crate::notification::Notification;
    use crate::received::{Received, Source};

    fn read<R: Role>(role: &R, message: &Message) -> Item<R::Message> {
        let read = |kind, envelope: &contracts::Envelope| role.read(kind, envelope);
        Item::Good(Box::new(Received::read(&message.body, Source::default(), read).unwrap()))
    }

    fn about(request: Uuid) -> About {
        About { request: Some(request), ..About::default() }
    }

    fn event(kind: Kind, request: Uuid) -> Item<Step> {
        let step = Step {
            request,
            service_request: "SR-1".to_owned(),
            service: "exchange_online".to_owned(),
            requester: "robin".to_owned(),
            from: None,
            to: "active".to_owned(),
            digest: String::new(),
            actor: Actor::lockbox(),
            comment: None,
            particulars: Particulars::default(),
        };
        read(&Notification, &message(kind, wall_clock(), about(request), &step))
    }

    #[test]
    fn a_role_that_only_reads_processes_all_events_of_a_request_in_one_transaction() {
        let requests = [Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3)];
        let kinds = [Kind::RequestCustomerApproved, Kind::GrantActivated];
        let pairs = requests.iter().flat_map(|request| kinds.map(|kind| event(kind, *request)));
        let items: Vec<_> = pairs.collect();
        assert_eq!(first_len(&Notification, &items), items.len());
    }

    #[test]
    fn two_copies_of_a_message_are_not_in_the_same_transaction() {
        let Item::Good(once) = event(Kind::GrantActivated, Uuid::from_u128(1)) else { unreachable!() };
        let items = [Item::Good(once.clone()), event(Kind::GrantEnded, Uuid::from_u128(1)), Item::Good(once)];
        assert_eq!(first_len(&Notification, &items), 2);
    }

    #[test]
    fn a_role_that_changes_requests_processes_each_at_most_once_in_a_transaction() {
        let role = Expiry { is_recovery_scan: false };
        let due = |request| {
            let data = TimerDue { request, timer: "deadline".to_owned(), generation: 1, due_at: wall_clock() };
            read(&role, &message(Kind::TimerDue, wall_clock(), about(request), &data))
        };
        let items = [1, 2, 1].map(|number| due(Uuid::from_u128(number)));
        assert_eq!(first_len(&role, &items), 2);
    }
}
