def initials(name)
  name.split.map { |part| part[0].upcase }.join
end
