"""Training: one loop, recipes as small files, and synthetic images beside the real ones (SIO) with any of them.

Before it begins: settings, networks, pools, set_checks, recipes/, put together and checked by plan, which remarks tells of.
Batches: draws says which image stands where, augment how it is shown; feed makes Batches (batch) of them in worker processes, and
unreadable tells what they could not read.
Steps: loop calls a recipe by its learner, with schedule, optimizer, averaging, tally and pace, in the processes of processes; a
recipe may keep a class_queue.
What is kept: checkpoints to go on from, log, saved for the network alone, in the folder that folder knows.
The whole: run, with starting before the steps, validation after each epoch, finishing at the end; interruption after any step.
"""
