//! Both machines of disputes under any sequence of events.

use kit::clock::DAY_US;
use network::disputes::case::{Case, Course, Event, Finding, Framework, Happened, HoldPolicy, Opening, State};
use network::disputes::{EntryKind, movements};
use proptest::prelude::*;
use protocol::{Currency, DisputeOutcome, DisputeReason};

use crate::harness::BEGINNING as NOW;

const AMOUNT: i64 = 1000;

#[derive(Clone, Debug)]
enum Op {
    Answer(bool, Option<i64>),
    Appeal,
    AcceptLoss,
    Step(Event),
    Resolve(bool),
    Lapse,
    Extend(i64),
    Wait(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let steps = proptest::sample::select(vec![
        Event::Escalated,
        Event::EvidenceRequested,
        Event::FoundForPartner,
        Event::FoundForCustomer,
        Event::AppealWindowOpened,
        Event::Withdrawn,
        Event::Lapsed,
        Event::Rejected,
    ]);
    prop_oneof![
        4 => (any::<bool>(), proptest::option::of(-10..1100i64)).prop_map(|(old, proposed)| Op::Answer(old, proposed)),
        2 => Just(Op::Appeal),
        1 => Just(Op::AcceptLoss),
        6 => steps.prop_map(Op::Step),
        1 => any::<bool>().prop_map(Op::Resolve),
        2 => Just(Op::Lapse),
        2 => (0..60i64).prop_map(Op::Extend),
        4 => (0..40i64).prop_map(Op::Wait),
    ]
}

fn opening() -> impl Strategy<Value = Opening> {
    let reasons = proptest::sample::select(DisputeReason::KNOWN.to_vec());
    let courses = proptest::sample::select(Course::ALL.to_vec());
    (any::<bool>(), reasons, any::<bool>(), courses, proptest::option::of(900..1100i64)).prop_map(
        |(old, reason, held, course, threshold)| Opening {
            framework: if old { Framework::Of2020 } else { Framework::Of2026 },
            reason,
            amount: AMOUNT,
            hold: if held { HoldPolicy::OnDisputeInitiated } else { HoldPolicy::None },
            course,
            threshold,
        },
    )
}

fn total(told: &[Happened], kinds: &[EntryKind]) -> (usize, i64) {
    let all = told.iter().flat_map(|happened| {
        let owed = happened.case.closing.as_ref().map_or(0, |closing| closing.owed);
        movements(happened, Currency::EUR, owed)
    });
    let of_kinds: Vec<i64> = all.filter(|(kind, _)| kinds.contains(kind)).map(|(_, amount)| amount).collect();
    (of_kinds.len(), of_kinds.iter().sum())
}

proptest! {
    #[test]
    fn no_sequence_of_events_breaks_a_case(opening in opening(), ops in proptest::collection::vec(op(), 1..40)) {
        let framework = opening.framework;
        let (mut case, mut told) = Case::open(opening, NOW);
        let mut now = NOW;
        for op in ops {
            let before = case.clone();
            let decided = match op {
                Op::Wait(days) => {
                    now += days * DAY_US;
                    Ok(case.at(now))
                }
                Op::Answer(old, proposed) =>
                    case.answer(if old { Framework::Of2020 } else { Framework::Of2026 }, proposed.filter(|amount| *amount > 0), now),
                Op::Appeal => case.appeal(now),
                Op::AcceptLoss => case.accept_loss(now),
                Op::Step(event) => case.step(event, None, now),
                Op::Resolve(won) => {
                    let outcome = if won { DisputeOutcome::Won } else { DisputeOutcome::Lost };
                    case.resolve(Finding { outcome, detailed: "X".to_owned() }, now)
                }
                Op::Lapse => case.lapse(now),
                Op::Extend(days) => case.extend(now + days * DAY_US, now),
            };
            let Ok((next, happened)) = decided else { continue };
            if before.state.is_closed() {
                prop_assert_eq!(&next, &before, "closed stays closed");
                prop_assert!(happened.is_empty());
            }
            case = next;
            told.extend(happened);

            prop_assert_eq!(case.state.framework(), framework);
            prop_assert_eq!(case.state.is_closed(), case.closing.is_some());
            prop_assert!(case.due_at.is_none_or(|due| due > now) , "what is due has happened");
            prop_assert_eq!(case.due_at.is_none(), case.state.is_closed(), "every open case goes on by itself");
            prop_assert!(case.proposed.is_none_or(|proposed| proposed > 0 && proposed < AMOUNT));
        }
        // One event tells of each change: the chain of them has no gap and no repetition.
        let mut state: Option<State> = None;
        for happened in told.iter().filter(|happened| happened.is_change()) {
            prop_assert_eq!(happened.case.previous, state);
            prop_assert!(state != Some(happened.case.state));
            state = Some(happened.case.state);
        }
        prop_assert_eq!(state, Some(case.state));
        prop_assert!(told.windows(2).all(|pair| pair[0].at <= pair[1].at));

        // Money moves once: a fee, what is held comes back whole, and what is owed is taken at the end.
        prop_assert_eq!(total(&told, &[EntryKind::Fee]), (1, -750));
        prop_assert!(total(&told, &[EntryKind::AppealFee]).0 <= 1);
        let owed = case.closing.as_ref().map_or(0, |closing| closing.owed);
        prop_assert!((0..=AMOUNT).contains(&owed));
        let held = case.hold == HoldPolicy::OnDisputeInitiated;
        let kept = if held && case.closing.is_none() { AMOUNT } else { 0 };
        let moved = total(&told, &[EntryKind::Hold, EntryKind::Release, EntryKind::Chargeback]);
        prop_assert_eq!(moved.1, -owed - kept);
        prop_assert!(moved.0 <= 3);
    }

    #[test]
    fn every_case_ends_by_time_alone(opening in opening()) {
        let (case, _) = Case::open(opening, NOW);
        let (ended, happened) = case.at(NOW + 400 * DAY_US);
        prop_assert!(ended.state.is_closed());
        prop_assert!(happened.len() <= 5);
    }
}
