#!/usr/bin/env python3
# Connect Four, many games at once: it pairs players in the order of arrival, lets others watch, and has all rules.
# wsd --shared --framing=json ./examples/connect4.py
#
# A client sends the number of a column, 1 to 7, or `again`; with /connect4?watch=ID it only watches. Each message to a
# client is one JSON object: waiting, seat (its player and game), board (to all of a game, after each change) or error.
#
# A page may reload, and a connection may be lost. So a client names a token, /connect4?token=SECRET: when it has left, its
# seat is kept for 30 seconds (or those of the first argument) for the next client with that token.
import json
import secrets
import signal
import sys
from threading import Lock, Timer
from urllib.parse import parse_qs

COLUMNS, ROWS = 7, 6
DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))
SEAT_SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 30

games = {}  # by ID
players = {}  # by client
tokens = {}  # players by token
watched = {}  # games by the clients that watch
waiting = []  # the one player, if any, that waits for another
lock = Lock()  # for all of these: the time of a seat ends on a thread of its own


def send(message, to):
    print(json.dumps({"to": to, "text": json.dumps(message)}), flush=True)


def refuse(client, why):
    send({"type": "error", "text": why}, client)


class Player:
    """One of a game, or one who waits for a game. A player that is away has no client."""

    def __init__(self, client, token):
        self.client, self.token, self.game, self.timer = client, token, None, None


class Game:
    def __init__(self, players):
        self.id = secrets.token_urlsafe(8)
        self.players = players  # the first is player one, and begins
        self.watchers = []  # clients
        self.begin()

    def begin(self):
        self.columns = [[] for _ in range(COLUMNS)]  # of the players' numbers, from below
        self.phase, self.player = "playing", 1
        self.last, self.line, self.again = None, [], set()
        for player in self.players:
            self.seat(player)
        self.show()

    def seat(self, player):
        player.game = self
        if player.client:
            send({"type": "seat", "player": self.number(player), "game": self.id}, player.client)

    def number(self, player):
        return self.players.index(player) + 1

    def show(self, to=None):
        """Shows the board to one client, or to all."""
        again = [self.number(player) for player in self.again]
        away = [self.number(player) for player in self.players if not player.client]
        columns = ["".join(map(str, column)) for column in self.columns]
        all_clients = [player.client for player in self.players if player.client] + self.watchers
        send({"type": "board", "phase": self.phase, "player": self.player, "columns": columns, "last": self.last,
              "line": self.line, "again": again, "away": away}, to or all_clients)

    def cell(self, column, row):
        if 0 <= column < COLUMNS and 0 <= row < len(self.columns[column]):
            return self.columns[column][row]
        return None

    def lines_through(self, column, row):
        """All cells of lines of four or more through this one: only the last disc can have made one."""
        found = []
        for right, up in DIRECTIONS:
            line = [(column, row)]
            for sign in (1, -1):
                step = 1
                while self.cell(column + sign * step * right, row + sign * step * up) == self.cell(column, row):
                    line.append((column + sign * step * right, row + sign * step * up))
                    step += 1
            if len(line) >= 4:
                found += line
        return found

    def drop(self, player, column):
        if self.phase != "playing":
            refuse(player.client, "The game is over.")
        elif self.number(player) != self.player:
            refuse(player.client, "It is not your turn.")
        elif len(self.columns[column]) == ROWS:
            refuse(player.client, "This column is full.")
        else:
            self.columns[column].append(self.player)
            self.last = (column, len(self.columns[column]) - 1)
            self.line = self.lines_through(*self.last)
            if self.line:
                self.phase = "won"
            elif all(len(column) == ROWS for column in self.columns):
                self.phase = "draw"
            else:
                self.player = 3 - self.player
            self.show()

    def play_again(self, player):
        if self.phase == "playing":
            refuse(player.client, "The game is not over.")
        elif self.phase == "left":
            self.players.remove(player)
            pair(player)
        else:
            self.again.add(player)
            if len(self.again) == 2:
                self.players.reverse()
                self.begin()
            else:
                self.show()

    def leave(self, player):
        if self.phase != "left":
            self.phase, self.player = "left", self.number(player)
            self.again.clear()
            games.pop(self.id)
        self.players.remove(player)
        self.show()


def enter(client, token):
    """Has a new client play, or gives it the seat of its token."""
    player = tokens.get(token)
    if player:
        come_back(player, client)
    else:
        player = Player(client, token)
        players[client] = player
        if token:
            tokens[token] = player
        pair(player)


def pair(player):
    """Has a player wait, or play with the one who waits."""
    player.game = None
    waiting.append(player)
    if len(waiting) == 2:
        game = Game(waiting[:])
        games[game.id] = game
        waiting.clear()
    else:
        send({"type": "waiting"}, player.client)


def come_back(player, client):
    if player.timer:
        player.timer.cancel()
    if player.client:  # a lost connection that nobody has noticed yet, or a copy of the page
        players.pop(player.client)
        print(json.dumps({"close": player.client, "code": 4000, "reason": "another page has your seat"}), flush=True)
    player.client = client
    players[client] = player
    if player.game:
        player.game.seat(player)
        player.game.show()
    else:
        send({"type": "waiting"}, client)


def go_away(player):
    """Keeps the seat of a lost player for a while, if there is a game and a token to come back with."""
    player.client = None
    if player.token and player.game and player.game.phase != "left":
        player.timer = Timer(SEAT_SECONDS, give_up, [player])
        player.timer.daemon = True
        player.timer.start()
        player.game.show()
    else:
        leave(player)


def give_up(player):
    with lock:
        if not player.client:
            leave(player)


def leave(player):
    tokens.pop(player.token, None)
    if player.game:
        player.game.leave(player)
    else:
        waiting.remove(player)


def watch(client, game):
    if game is None:
        refuse(client, "This game is over, and its players have left.")
        return
    watched[client] = game
    game.watchers.append(client)
    send({"type": "seat", "player": 0, "game": game.id}, client)
    game.show(client)


def hear(client, text):
    player = players.get(client)
    if player is None or player.game is None:
        refuse(client, "You are not playing.")
    elif text == "again":
        player.game.play_again(player)
    elif text in tuple("1234567"):
        player.game.drop(player, int(text) - 1)
    else:
        refuse(client, "Send the number of a column, 1 to 7, or `again`.")


def handle(event):
    client = event["client"]
    if event["event"] == "open":
        query = parse_qs(event["env"].get("QUERY_STRING", ""))
        if "watch" in query:
            watch(client, games.get(query["watch"][0]))
        else:
            enter(client, query.get("token", [""])[0])
    elif event["event"] == "message":
        hear(client, event.get("text", "").strip())
    elif event["event"] == "close":
        if client in players:
            go_away(players.pop(client))
        elif client in watched:
            watched.pop(client).watchers.remove(client)


# End quietly on Ctrl-C, and when nobody reads any more.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

for line in sys.stdin.buffer:
    try:
        with lock:
            handle(json.loads(line))
    except Exception as error:  # whatever a line may be, it must not end all games
        print(f"skipped a line: {error!r}", file=sys.stderr, flush=True)
