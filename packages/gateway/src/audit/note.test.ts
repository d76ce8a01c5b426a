import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Checkpoint, checkpointText, openCheckpoint, readCheckpoint } from './checkpoint.ts';
import { createSigner, NoteRefused, noteText, openNote, readVerifierKey } from './note.ts';

// The example of c2sp.org/signed-note.
const publishedKey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const publishedNote = `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`;
// The example of c2sp.org/tlog-checkpoint.
const publishedCheckpoint = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
`;

const signer = createSigner('sallyport/test', randomBytes(32));
const verifier = readVerifierKey(signer.verifierKey);

describe('a signed note', () => {
  it('as published is verified by the published key', () => {
    expect(openNote(publishedNote, [readVerifierKey(publishedKey)])).toBe('This is an example message.\n');
  });

  it('is refused when a byte of its text or signature is another', () => {
    const note = signer.sign('one\n\ntwo\n');
    expect(openNote(note, [verifier])).toBe('one\n\ntwo\n');
    fc.assert(
      fc.property(fc.nat({ max: note.length - 1 }), fc.integer({ min: 1, max: 127 }), (at, by) => {
        const other = String.fromCharCode(note.charCodeAt(at) ^ by);
        const changed = note.slice(0, at) + other + note.slice(at + 1);
        expect(() => openNote(changed, [verifier])).toThrow(NoteRefused);
      }),
    );
  });

  it('needs one known signature, takes more, and none that is wrong', () => {
    const text = 'hello\n';
    const other = createSigner('sallyport/test', randomBytes(32));
    const [ours = '', theirs = ''] = [signer, other].map((each) => each.sign(text).slice(text.length + 1));
    expect(openNote(`${text}\n${theirs}${ours}`, [verifier])).toBe(text);
    expect(() => openNote(`${text}\n${theirs}`, [verifier])).toThrow('none of the given keys signed it');
    const wrong = signer.sign('bye\n').slice('bye\n'.length + 1);
    expect(() => openNote(`${text}\n${ours}${wrong}`, [verifier])).toThrow('the signature of sallyport/test is wrong');
  });

  it.each([
    ['is empty', ''],
    ['has no signature', 'text\n'],
    ['has no line feed at its end', publishedNote.slice(0, -1)],
    ['has a control character', publishedNote.replace('example message', 'example\tmessage')],
    ['has a signature that is not one', publishedNote.replace('— ', '- ')],
    ['is endless', `${'x'.repeat(70_000)}\n\n— a b\n`],
  ])('is refused when it %s', (_what, note) => {
    expect(() => openNote(note, [readVerifierKey(publishedKey)])).toThrow(NoteRefused);
    expect(() => noteText(note)).toThrow(NoteRefused);
  });

  it.each([
    '',
    'name',
    'a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    'example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    'example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKa',
  ])('is not verified by a key like "%s"', (key) => {
    expect(() => readVerifierKey(key)).toThrow(NoteRefused);
  });
});

describe('a checkpoint', () => {
  it('as published is read', () => {
    expect(readCheckpoint(publishedCheckpoint)).toMatchObject({
      origin: 'example.com/behind-the-sofa',
      size: 20852163,
    });
  });

  it('says what was signed', () => {
    const checkpoint: Checkpoint = {
      origin: 'sallyport/test',
      size: 12,
      root: randomBytes(32),
      timeMs: 1_763_712_000_123,
      closed: true,
    };
    expect(openCheckpoint(signer.sign(checkpointText(checkpoint)), [verifier])).toEqual(checkpoint);
  });

  it.each([
    'origin\n12\n',
    'origin\n012\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
    'origin\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
    'origin\n9007199254740993\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
    'origin\n12\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jx\n',
    '\n12\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n',
  ])('is not what was signed when the text is %j', (text) => {
    expect(() => openCheckpoint(signer.sign(text), [verifier])).toThrow(NoteRefused);
  });
});
