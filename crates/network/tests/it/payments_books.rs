//! The books of one Payment Transaction under any sequence of operations.

use kit::clock::DAY_US;
use network::payments::transaction::{
    Capture, CaptureCommand, Detail, PaymentTransaction, Reauthorization, Refund, RefundCommand, State,
};
use network::payments::verdict::Persona;
use proptest::prelude::*;
use protocol::{Currency, DisputeId, PaymentTransactionId, Region};
use uuid::Uuid;

use crate::harness::BEGINNING as NOW;

fn dispute() -> DisputeId {
    DisputeId::new(Region::Eu1, 9)
}

#[derive(Clone, Debug)]
enum Op {
    Capture(Option<i64>, bool),
    Refund(Option<i64>, Option<i64>, bool),
    ChargeBack(i64, i64),
    Void,
    Update(Option<i64>, bool),
    Reauthorize(Option<i64>, Option<i64>),
    Fund,
    Wait(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let amount = || proptest::option::of(-5..1500i64);
    prop_oneof![
        4 => (amount(), proptest::bool::weighted(0.1)).prop_map(|(amount, release)| Op::Capture(amount, release)),
        4 => (amount(), proptest::option::of(0..5i64), any::<bool>()).prop_map(|(a, n, l)| Op::Refund(a, n, l)),
        1 => (0..5i64, 0..400i64).prop_map(|(number, amount)| Op::ChargeBack(number, amount)),
        1 => Just(Op::Void),
        2 => (amount(), any::<bool>()).prop_map(|(amount, denied)| Op::Update(amount, denied)),
        2 => (proptest::option::of(1..181i64), amount()).prop_map(|(days, amount)| Op::Reauthorize(days, amount)),
        1 => Just(Op::Fund),
        3 => (0..40i64).prop_map(Op::Wait),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_operations_breaks_the_books(guaranteed: bool, ops in proptest::collection::vec(op(), 1..40)) {
        let id = PaymentTransactionId::new(Region::Eu1, Uuid::from_u128(1));
        let (mut transaction, _, mut told) =
            PaymentTransaction::authorize(id, (Currency::EUR, 1000), guaranteed, Persona::Approved, None, NOW);
        let mut captures: Vec<Capture> = Vec::new();
        let mut refunds: Vec<Refund> = Vec::new();
        let mut now = NOW;
        for op in ops {
            let before = transaction.clone();
            let mut borne = captures.clone();
            let decided = match op {
                Op::Wait(days) => {
                    now += days * DAY_US;
                    let (next, happened) = transaction.at(now);
                    Ok((next, happened))
                }
                Op::Capture(amount, release) => transaction
                    .capture(CaptureCommand { amount, release, reference: None }, now)
                    .map(|(next, capture, happened)| { borne.push(capture); (next, happened) }),
                Op::Refund(amount, capture_number, has_line_items) => {
                    let command = RefundCommand { amount, capture_number, has_line_items, reference: None };
                    transaction.refund(&mut borne, command, now)
                        .map(|(next, refund, happened)| { refunds.push(refund); (next, happened) })
                }
                Op::ChargeBack(number, amount) => match borne.iter_mut().find(|capture| capture.number == number) {
                    Some(capture) =>
                        transaction.charge_back(capture, &dispute(), amount, now).map(|(next, _, happened)| (next, happened)),
                    None => continue,
                },
                Op::Void => transaction.void(now).map(|(next, (), happened)| (next, happened)),
                Op::Update(amount, denied) => transaction
                    .update(amount, denied.then_some(Persona::Denied), now)
                    .map(|(next, (), happened)| (next, happened)),
                Op::Reauthorize(extension_days, amount) => transaction
                    .reauthorize(Reauthorization { extension_days, amount, persona: None }, now)
                    .map(|(next, (), happened)| (next, happened)),
                Op::Fund => transaction.fund(now).map(|(next, (), happened)| (next, happened)),
            };
            let Ok((next, happened)) = decided else { continue };
            if before.state == State::Closed {
                prop_assert_eq!(&next.state, &State::Closed);
                prop_assert_eq!(next.balance, before.balance);
                prop_assert!(happened.is_empty());
            }
            captures = borne;
            transaction = next;
            told.extend(happened);

            let balance = transaction.balance;
            prop_assert!(balance.captured <= balance.amount);
            prop_assert_eq!(balance.amount, balance.captured + balance.voided + balance.remaining());
            prop_assert!(balance.refunded + balance.charged_back <= balance.captured);
            prop_assert_eq!(balance.captured, captures.iter().map(|capture| capture.amount).sum::<i64>());
            prop_assert_eq!(balance.refunded, captures.iter().map(|capture| capture.refunded).sum::<i64>());
            prop_assert_eq!(balance.refunded, refunds.iter().map(|refund| refund.amount).sum::<i64>());
            prop_assert!(captures.iter().all(|capture| capture.refundable() >= 0));
            prop_assert!(transaction.due_at().is_none_or(|due| due > now));
        }
        // Exactly one event tells of each change of state: the chain of them has no gap and no repetition.
        let mut state = None;
        for happened in told.iter().filter(|happened| happened.detail == Detail::State) {
            prop_assert_eq!(happened.previous, state);
            prop_assert!(happened.previous != Some(happened.state));
            state = Some(happened.state);
        }
        prop_assert_eq!(state, Some(transaction.state));
        let captured_events = told.iter().filter(|happened| matches!(happened.detail, Detail::Captured(_))).count();
        prop_assert_eq!(captured_events, captures.len());
        prop_assert!(told.windows(2).all(|pair| pair[0].at <= pair[1].at));
    }
}
