//! Which messages of a batch share a transaction.

use std::collections::HashSet;

use store::{Lock, ReadSet};

use crate::engine::Item;
use crate::role::Role;

/// How many items from the front can share a transaction. What one message changes, the next about the same request must
/// see, so each request is there at most once; a role that only reads takes any number. An approval and the access that
/// follows from it come one after the other, request by request: apart, they would cost a transaction each.
pub(crate) fn first<R: Role>(role: &R, items: &[Item<R::Message>]) -> usize {
    let is_reading = role.lock() == Lock::Read;
    let mut seen = HashSet::new();
    for (index, item) in items.iter().enumerate() {
        let Item::Good(received) = item else { continue };
        if role.is_alone(received) {
            return index.max(1);
        }
        let mut read_set = ReadSet::default();
        role.want(received, &mut read_set);
        let is_free = is_reading || read_set.requests.iter().all(|request| seen.insert(*request));
        if !is_free || !seen.insert(received.key) {
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
    use crate::role::{Received, Source};

    fn read<R: Role>(role: &R, message: &Message) -> Item<R::Message> {
        let read = |kind, envelope: &contracts::Envelope| role.read(kind, envelope);
        Item::Good(Box::new(Received::read(&message.body, Source::default(), read).unwrap()))
    }

    fn about(request: Uuid) -> About {
        About { request: Some(request), ..About::default() }
    }

    fn told(kind: Kind, request: Uuid) -> Item<Step> {
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
    fn a_role_that_only_reads_takes_every_event_of_a_request_in_one_transaction() {
        let requests = [Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3)];
        let kinds = [Kind::RequestCustomerApproved, Kind::GrantActivated];
        let pairs = requests.iter().flat_map(|request| kinds.map(|kind| told(kind, *request)));
        let items: Vec<_> = pairs.collect();
        assert_eq!(first(&Notification, &items), items.len());
    }

    #[test]
    fn a_message_that_was_delivered_twice_is_not_in_one_transaction_with_itself() {
        let Item::Good(once) = told(Kind::GrantActivated, Uuid::from_u128(1)) else { unreachable!() };
        let items = [Item::Good(once.clone()), told(Kind::GrantEnded, Uuid::from_u128(1)), Item::Good(once)];
        assert_eq!(first(&Notification, &items), 2);
    }

    #[test]
    fn a_role_that_moves_requests_takes_each_at_most_once() {
        let role = Expiry { sweeping: false };
        let due = |request| {
            let data = TimerDue { request, timer: "deadline".to_owned(), generation: 1, due_at: wall_clock() };
            read(&role, &message(Kind::TimerDue, wall_clock(), about(request), &data))
        };
        let items = [1, 2, 1].map(|number| due(Uuid::from_u128(number)));
        assert_eq!(first(&role, &items), 2);
    }
}
