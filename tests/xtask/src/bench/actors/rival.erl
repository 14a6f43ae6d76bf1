%% The same figures of Erlang/OTP, by our own programs: `erl -noshell -run rival main ROW` prints one number.
-module(rival).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2, handle_info/2, child/2, loop/1]).

-define(MESSAGES, 3000000).
-define(ACTORS, 1000000).
-define(CHURN, 300000).

main([Row]) ->
    io:format("~p~n", [measure(Row)]),
    halt().

now_ns() -> erlang:monotonic_time(nanosecond).

rate(Count, Began) -> Count / (now_ns() - Began) * 1.0e3.

%% A raw process that counts.
loop({Left, Parent}) ->
    receive
        tick when Left =:= 1 -> Parent ! done, loop({0, Parent});
        tick -> loop({Left - 1, Parent});
        stop -> ok
    end.

measure("tell-raw") ->
    Parent = self(),
    %% On the heap, so many waiting messages are copied at each collection: it hangs.
    Pid = spawn_opt(?MODULE, loop, [{?MESSAGES, Parent}], [{message_queue_data, off_heap}]),
    Began = now_ns(),
    raw(Pid, ?MESSAGES),
    receive done -> rate(?MESSAGES, Began) end;
measure("tell-cast") ->
    {ok, Pid} = gen_server:start(
        ?MODULE, {count, ?MESSAGES, self()}, [{spawn_opt, [{message_queue_data, off_heap}]}]
    ),
    Began = now_ns(),
    cast(Pid, ?MESSAGES),
    receive done -> rate(?MESSAGES, Began) end;
measure("ask") ->
    {ok, Pid} = gen_server:start(?MODULE, {count, 0, self()}, []),
    Times = lists:sort([ask(Pid) || _ <- lists:seq(1, 200000)]),
    lists:nth(100000, Times);
measure("spawn") ->
    Parent = self(),
    Began = now_ns(),
    spawn_all(?ACTORS, Parent),
    rate(?ACTORS, Began);
measure("bytes") ->
    Before = rss(),
    spawn_all(?ACTORS, self()),
    (rss() - Before) / ?ACTORS;
measure("restart") ->
    %% Neither side prints what it restarts.
    logger:set_primary_config(level, none),
    Supervisors = 1000,
    Restarts = 50,
    Parent = self(),
    Began = now_ns(),
    process_flag(trap_exit, true),
    [{ok, _} = supervisor:start_link(?MODULE, {supervisor, Parent, Restarts})
     || _ <- lists:seq(1, Supervisors)],
    [receive restarted -> ok end || _ <- lists:seq(1, Supervisors)],
    rate(Supervisors * Restarts, Began) * 1.0e3;
measure("churn") ->
    [First, _, Third] = [churn() || _ <- [1, 2, 3]],
    (Third / First - 1) * 100.

raw(_, 0) -> ok;
raw(Pid, Left) -> Pid ! tick, raw(Pid, Left - 1).

cast(_, 0) -> ok;
cast(Pid, Left) -> gen_server:cast(Pid, tick), cast(Pid, Left - 1).

ask(Pid) ->
    Began = now_ns(),
    ok = gen_server:call(Pid, ask),
    now_ns() - Began.

%% Each process has run and waits for its next message, as ours have.
spawn_all(0, _) -> ok;
spawn_all(Left, Parent) ->
    Pid = spawn(?MODULE, loop, [{0, Parent}]),
    Pid ! tick,
    spawn_all(Left - 1, Parent).

churn() ->
    Pids = [spawn(?MODULE, loop, [{0, self()}]) || _ <- lists:seq(1, ?CHURN)],
    Monitors = [monitor(process, Pid) || Pid <- Pids],
    [Pid ! stop || Pid <- Pids],
    [receive {'DOWN', Monitor, _, _, _} -> ok end || Monitor <- Monitors],
    erlang:garbage_collect(),
    rss().

rss() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:split(Text, " ", all),
    binary_to_integer(Pages) * 4096.

init({count, Left, Parent}) -> {ok, {Left, Parent}};
init({supervisor, Parent, Restarts}) ->
    Counter = counters:new(1, []),
    Child = #{id => child, start => {?MODULE, child, [{Parent, Restarts}, Counter]}, restart => permanent},
    {ok, {#{strategy => one_for_one, intensity => 900, period => 3600}, [Child]}};
init({child, {Parent, Restarts}, Counter}) ->
    counters:add(Counter, 1, 1),
    case counters:get(Counter, 1) of
        Lives when Lives > Restarts -> Parent ! restarted;
        _ -> self() ! boom
    end,
    {ok, none}.

child(Arguments, Counter) -> gen_server:start_link(?MODULE, {child, Arguments, Counter}, []).

handle_call(ask, _From, State) -> {reply, ok, State}.

handle_cast(tick, {1, Parent}) -> Parent ! done, {noreply, {0, Parent}};
handle_cast(tick, {Left, Parent}) -> {noreply, {Left - 1, Parent}}.

handle_info(boom, State) -> {stop, boom, State}.
