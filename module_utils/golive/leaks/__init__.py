"""Where does a secret stand that should not? One searcher for every issue: it knows keyed hashes of the secrets, never their text.

`spellings` says how a secret can be written, `index` turns that into hashes and searches bytes, `places` opens files, archives, git
histories, journals, processes and container images, `canaries` are the secrets of every shape that tests plant. Standard library only,
Python 3.9: it is sent to hosts that look at their own logs.
"""
