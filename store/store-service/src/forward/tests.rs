//! What follows from attempts, whatever their order.

use store_mvcc::Outcome;

use super::*;

#[test]
fn what_was_not_done_is_said_only_if_no_attempt_was() {
    let outcome = || Answer::Applied(Outcome { index: 3, results: Vec::new() });
    let mut certain = Attempts::new(true);
    assert_eq!(certain.judge(Answer::NotLeader(None)), Next::Again);
    assert_eq!(certain.judge(Answer::Superseded), Next::Again);
    assert_eq!(certain.give_up(), Next::Done(Err(ProposeError::Superseded)));
    assert_eq!(certain.judge(Answer::Busy), Next::Done(Err(ProposeError::Busy)));
    assert_eq!(certain.judge(outcome()), Next::Done(Ok(outcome())));
    let mut doubtful = Attempts::new(true);
    assert_eq!(doubtful.judge(Answer::Unknown), Next::Again);
    for answer in [Answer::Busy, Answer::NotLeader(None), Answer::Superseded, Answer::Unavailable] {
        assert_eq!(doubtful.judge(answer), Next::Again);
        assert_eq!(doubtful.give_up(), Next::Done(Err(ProposeError::Unknown)));
    }
    assert_eq!(doubtful.judge(outcome()), Next::Done(Ok(outcome())));
}

#[test]
fn what_has_no_token_is_not_repeated_once_it_may_have_been_done() {
    let mut once = Attempts::new(false);
    assert_eq!(once.judge(Answer::NotLeader(None)), Next::Again);
    assert_eq!(once.judge(Answer::Unknown), Next::Done(Err(ProposeError::Unknown)));
}
