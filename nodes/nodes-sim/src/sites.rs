//! The fault points of the simulated cluster.
//!
//! Way in: [`Point`].

use actors_sim::fault_points;

fault_points! {
    /// Where the drivers of a node may stumble within what their machines must bear.
    pub(crate) enum Point {
        /// Records of one append are written one by one: a crash may come between them.
        LogAppendSplit = "log.append.split",
        /// The end of some work is told late.
        EndLate = "driver.end.late",
        /// An answer to a request is lost.
        AnswerLost = "send.answer.lost",
        /// A batch of a watch is lost.
        WatchedLost = "send.watched.lost",
        /// A server is not told that its proposal was refused.
        NotProposedLost = "send.not-proposed.lost",
        /// A proposal is sent twice.
        ProposeTwice = "send.propose.twice",
        /// A copy of the state is lost.
        ImageLost = "send.image.lost",
        /// That it arrived is not told.
        ImageTakenLost = "send.image-taken.lost",
        /// A tick of Raft is late.
        RaftTickLate = "raft.tick.late",
        /// Late requests are looked for later.
        SweepLate = "server.sweep.late",
        /// The state is made durable later.
        FlushLate = "server.flush.late",
        /// A control loop is woken late.
        LoopTimerLate = "loop.timer.late",
        /// An agent or a client looks around later.
        BeatLate = "beat.late",
    }
}
