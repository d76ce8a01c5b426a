/** The part of a terminal or pipe that is needed to write on it. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Lines that scroll, and under them one line that stays and is redrawn. */
export interface Screen {
  /** Whether a status line can be shown. */
  readonly isLive: boolean;
  line(text: string): void;
  /** Shows this under everything else; on something that is not a terminal it does nothing. */
  status(text: string): void;
  /** Removes the status line for good. */
  close(): void;
}

const clearLine = '\r\u001b[2K';

/** A screen over a stream. All that shares the terminal must write through the same one, or the status line is torn. */
export function createScreen(sink: Sink): Screen {
  const live = sink.isTTY === true;
  let shown = '';
  return {
    isLive: live,
    line: (text) => {
      sink.write(live && shown !== '' ? `${clearLine}${text}\n${shown}` : `${text}\n`);
    },
    status: (text) => {
      if (!live || text === shown) return;
      shown = text;
      sink.write(`${clearLine}${text}`);
    },
    close: () => {
      if (live && shown !== '') sink.write(clearLine);
      shown = '';
    },
  };
}
