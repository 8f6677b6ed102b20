#!/usr/bin/env python3
# Connect Four, many games at once: it pairs players in the order of arrival, lets others watch, and has all rules.
# wsd --shared --framing=json ./examples/connect4.py
#
# A client sends the number of a column, 1 to 7, or `again`; with /connect4?watch=ID it only watches. Each message to a
# client is one JSON object: waiting, seat (its player and game), board (to all of a game, after each change) or error.
import json
import secrets
import signal
import sys
from urllib.parse import parse_qs

COLUMNS, ROWS = 7, 6
DIRECTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))

games = {}  # by ID
seats = {}  # by client: its game
waiting = []  # the one client, if any, that waits for another


def send(message, to):
    print(json.dumps({"to": to, "text": json.dumps(message)}), flush=True)


def refuse(client, why):
    send({"type": "error", "text": why}, client)


class Game:
    def __init__(self, players):
        self.id = secrets.token_urlsafe(8)
        self.players = players  # the first is player one, and begins
        self.watchers = []
        self.begin()

    def begin(self):
        self.columns = [[] for _ in range(COLUMNS)]  # of the players' numbers, from below
        self.phase, self.player = "playing", 1
        self.last, self.line, self.again = None, [], set()
        for number, client in enumerate(self.players, 1):
            self.seat(client, number)
        self.show(self.players + self.watchers)

    def seat(self, client, number):
        seats[client] = self
        send({"type": "seat", "player": number, "game": self.id}, client)

    def show(self, to):
        again = [self.players.index(client) + 1 for client in self.again]
        columns = ["".join(map(str, column)) for column in self.columns]
        send({"type": "board", "phase": self.phase, "player": self.player, "columns": columns,
              "last": self.last, "line": self.line, "again": again}, to)

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

    def drop(self, client, column):
        if self.phase != "playing":
            refuse(client, "The game is over.")
        elif client != self.players[self.player - 1]:
            refuse(client, "It is not your turn.")
        elif len(self.columns[column]) == ROWS:
            refuse(client, "This column is full.")
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
            self.show(self.players + self.watchers)

    def play_again(self, client):
        if self.phase == "playing":
            refuse(client, "The game is not over.")
        elif self.phase == "left":
            self.players.remove(client)
            pair(client)
        else:
            self.again.add(client)
            if len(self.again) == 2:
                self.players.reverse()
                self.begin()
            else:
                self.show(self.players + self.watchers)

    def leave(self, client):
        if client in self.watchers:
            self.watchers.remove(client)
        elif self.phase == "left":
            self.players.remove(client)
        else:
            self.phase, self.player = "left", self.players.index(client) + 1
            self.players.remove(client)
            self.again.clear()
            games.pop(self.id)
            self.show(self.players + self.watchers)


def pair(client):
    """Has a player wait, or play with the one who waits."""
    seats.pop(client, None)
    waiting.append(client)
    if len(waiting) == 2:
        game = Game(waiting[:])
        games[game.id] = game
        waiting.clear()
    else:
        send({"type": "waiting"}, client)


def watch(client, game):
    if game is None:
        refuse(client, "This game is over, and its players have left.")
        return
    game.watchers.append(client)
    game.seat(client, 0)
    game.show(client)


def hear(client, text):
    game = seats.get(client)
    if game is None or client in game.watchers:
        refuse(client, "You are not playing.")
    elif text == "again":
        game.play_again(client)
    elif text in tuple("1234567"):
        game.drop(client, int(text) - 1)
    else:
        refuse(client, "Send the number of a column, 1 to 7, or `again`.")


def handle(event):
    client = event["client"]
    if event["event"] == "open":
        query = parse_qs(event["env"].get("QUERY_STRING", ""))
        if "watch" in query:
            watch(client, games.get(query["watch"][0]))
        else:
            pair(client)
    elif event["event"] == "message":
        hear(client, event.get("text", "").strip())
    elif event["event"] == "close":
        if client in waiting:
            waiting.remove(client)
        elif client in seats:
            seats.pop(client).leave(client)


# End quietly on Ctrl-C, and when nobody reads any more.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)

for line in sys.stdin.buffer:
    try:
        handle(json.loads(line))
    except Exception as error:  # whatever a line may be, it must not end all games
        print(f"skipped a line: {error!r}", file=sys.stderr, flush=True)
