--[[
  Strong interference in the mean power of the array, 24 times by 768 channels, from which the sky has been taken away.

  Nothing is fitted to the image yet, because a fit would follow what is strong. Frequency comes first: an emitter that
  is on in every other integration then goes one integration at a time, and does not take with it those between, as it
  would if runs of time were summed first.
]]

aoflagger.require_min_version("3.0")

function execute(input)
  local threshold = 1.5

  local work = input:copy()
  aoflagger.sumthreshold_masked(work, input, threshold, threshold, false, true)
  work:join_mask(input)
  aoflagger.sumthreshold_masked(work, input, threshold, threshold, true, false)
  input:join_mask(work)
end
