import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mountNaming, prefixNaming, serviceOfUri } from './naming.ts';

const blog = prefixNaming('blog');
const services = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
const uris = fc.oneof(
  fc.string(),
  fc.string().map((rest) => `ui://${rest}`),
  fc.string().map((rest) => `blog+${rest}`),
  fc.string().map((rest) => `ui://blog+${rest}`),
  fc.webUrl(),
);

describe('names where all services are together', () => {
  it.each([
    ['file:///a.txt', 'blog+file:///a.txt'],
    ['ui://widget/1', 'ui://blog+widget/1'],
    ['test://template/{id}/data', 'blog+test://template/{id}/data'],
    ['git+ssh://host/x', 'blog+git+ssh://host/x'],
    ['UI://widget', 'blog+UI://widget'],
    ['', 'blog+'],
  ])('turn the URI %j into %j and back', (inside, outside) => {
    expect(blog.uriOut(inside)).toBe(outside);
    expect(blog.uriIn(outside)).toBe(inside);
    expect(serviceOfUri(outside)).toBe('blog');
  });

  it.each(['file:///a', 'ui://a', 'news+file:///a', 'ui://news+a', 'blogs+file:///a', 'blog', 'blog+ui://a', ''])(
    'do not take %j for one of the service',
    (uri) => {
      expect(blog.uriIn(uri)).toBeUndefined();
    },
  );

  it.each(['file:///a', 'Blog+file:///a', '+file:///a', 'a.b+file:///a', `${'x'.repeat(64)}+a`, 'ui://a', ''])(
    'name no service in %j',
    (uri) => {
      expect(serviceOfUri(uri)).toBeUndefined();
    },
  );

  it('come back as they were, whatever the URI', () => {
    fc.assert(
      fc.property(services, uris, (service, uri) => {
        const naming = prefixNaming(service);
        expect(naming.uriIn(naming.uriOut(uri))).toBe(uri);
        expect(serviceOfUri(naming.uriOut(uri))).toBe(service);
      }),
    );
  });

  it('give every URI one name only', () => {
    fc.assert(
      fc.property(uris, (uri) => {
        const inside = blog.uriIn(uri);
        if (inside !== undefined) expect(blog.uriOut(inside)).toBe(uri);
      }),
    );
  });

  it('never let one service speak for another', () => {
    fc.assert(
      fc.property(services, services, uris, (one, other, uri) => {
        fc.pre(one !== other);
        expect(prefixNaming(other).uriIn(prefixNaming(one).uriOut(uri))).toBeUndefined();
        expect(prefixNaming(other).nameIn(prefixNaming(one).nameOut(uri))).toBeUndefined();
      }),
    );
  });

  it('bring names of tools and prompts back as they were', () => {
    fc.assert(
      fc.property(services, fc.string(), (service, name) => {
        const naming = prefixNaming(service);
        expect(naming.nameOut(name)).toBe(`${service}.${name}`);
        expect(naming.nameIn(naming.nameOut(name))).toBe(name);
      }),
    );
    expect(blog.nameIn('news.Get')).toBeUndefined();
  });
});

it('leaves all names alone at a mount', () => {
  const naming = mountNaming('blog');
  expect(naming.isIdentity).toBe(true);
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect([naming.uriOut, naming.uriIn, naming.nameOut, naming.nameIn].map((each) => each(text))).toEqual(
        Array(4).fill(text),
      );
    }),
  );
});
